"""Hook of ``mkdocs build``: pages that are made from files outside ``docs/``."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from config_reference import reference_page

ROOT = Path(__file__).resolve().parents[1]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the configuration reference, and GETTING_STARTED.md of the repository's top."""
    pages = {
        "configuration.md": reference_page((ROOT / "ictrack" / "config.py").read_text()),
        "getting_started.md": (ROOT / "GETTING_STARTED.md").read_text().replace("](docs/", "]("),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files
