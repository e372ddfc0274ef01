"""Exit status 0 iff the project in the folder given is installed here with the extras given, a list with commas."""

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path


def is_installed(root: Path, extras: list[str]) -> bool:
    import ictrack

    if Path(ictrack.__file__).resolve().parents[1] != root.resolve():
        return False
    if not any(entry.name == "ictrack" for entry in distribution("ictrack").entry_points):
        return False  # without the console command
    for requirement in requires("ictrack") or []:
        extra = re.search(r"extra == [\"']([^\"']+)[\"']", requirement)
        if extra is None or extra.group(1) in extras:
            version(re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0])
    return True


if __name__ == "__main__":
    try:
        sys.exit(0 if is_installed(Path(sys.argv[1]), sys.argv[2].split(",")) else 1)
    except (ImportError, PackageNotFoundError):
        sys.exit(1)
