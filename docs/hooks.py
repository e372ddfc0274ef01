"""Hooks of ``mkdocs build``: pages that are made from files outside ``docs/``, and docstrings' roles."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from config_reference import config_sources, reference_page
from model_zoo_table import PLACE, read_models, zoo_table

ROOT = Path(__file__).resolve().parents[1]
# A docstring's :class:`Name` or :func:`name <module.name>` as Markdown leaves it.
_ROLE = re.compile(r":(?:class|func|meth|mod|attr|data):<code>([^<&]+?)(?: ?&lt;[^<]+&gt;)?</code>")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the configuration reference, and GETTING_STARTED.md of the repository's top."""
    pages = {
        "configuration.md": reference_page(config_sources(ROOT / "ictrack" / "config")),
        "getting_started.md": (ROOT / "GETTING_STARTED.md").read_text().replace("](docs/", "]("),
    }
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the table of published models in its place."""
    if PLACE not in markdown:
        return markdown
    return markdown.replace(PLACE, zoo_table(read_models(ROOT / "projects" / "ICTrack" / "model_zoo.csv")))


def on_page_content(html: str, **_: object) -> str:
    """Show names that docstrings refer to as code."""
    return _ROLE.sub(r"<code>\1</code>", html)
