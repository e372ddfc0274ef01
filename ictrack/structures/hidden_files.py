"""Hidden files and files that operating systems add, which readers of folders and archives skip."""

from __future__ import annotations

import re

_SYSTEM_NAMES = ("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "lost+found")


def is_hidden(path: str) -> bool:
    """Whether a part of the path begins with a dot (``._0.jpg`` of macOS, ``.DS_Store``), or is an operating system's.

    Args:
        path: Path relative to the folder or archive that is read.
    """
    parts = [part for part in re.split(r"[\\/]", path) if part not in ("", ".", "..")]
    return any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in parts)
