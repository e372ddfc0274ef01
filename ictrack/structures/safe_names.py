"""Names of files that a file gives, which must stay below the folder that they are relative to."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from .describe import describe
from .json_files import require

# Bytes of the longest name of a file that usual file systems allow.
_MAX_BYTES = 255


def check_safe(name: str, where: str) -> str:
    """The same relative name of a file or folder.

    Raises AnnotationError, with the place, if it is absolute, names a drive, goes up by "..", or no file can have it.
    """
    parts = PurePosixPath(name).parts
    windows = PureWindowsPath(name)
    leaves = ".." in parts or ".." in windows.parts or name.startswith("/") or bool(windows.drive or windows.root)
    require(not leaves, where, f"{describe(name)} leaves the folder that names are relative to")
    good = "\0" not in name and all(len(part.encode("utf-8", "surrogatepass")) <= _MAX_BYTES for part in parts)
    require(good, where, f"{describe(name)} is no name of a file")
    return name
