"""Files that operating systems put beside a user's own, and that no reader of a folder or an archive counts."""

from __future__ import annotations

import re

_SYSTEM_NAMES = ("__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "@eadir", "lost+found")


def is_hidden(path: str) -> bool:
    """A part of the path begins with a dot (``._0.jpg`` of macOS, ``.DS_Store``), or is a name of an operating system.

    Args:
        path: relative to the folder or archive that is read.
    """
    parts = [part for part in re.split(r"[\\/]", path) if part not in ("", ".", "..")]
    return any(part.startswith(".") or part.lower() in _SYSTEM_NAMES for part in parts)
