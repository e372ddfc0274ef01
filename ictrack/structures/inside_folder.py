"""Paths of files that annotations name, which stay inside the folder of their data."""

from __future__ import annotations

import os

from .describe import describe
from .json_files import require


def path_inside(folder: str | os.PathLike, name: str, where: str) -> str:
    """Path of the file ``name`` in a folder or below it.

    An absolute name or one with ``..`` is taken if it leads back into the folder. Links on the disk are the user's own,
    and are followed.

    Args:
        folder: Folder of the data; "" is the current one.
        name: Name in an annotation file.
        where: JSON path of the name, for the message.

    Raises:
        AnnotationError: the name leads out of the folder, or no file can have it.
    """
    require("\0" not in name, where, f"{describe(name)} is no name of a file")
    path = os.path.join(folder, name)
    inside = os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ""))
    require(inside, where, f"{describe(name)} leads out of the folder of the images, {os.path.abspath(folder)}")
    return path
