"""Checks of image files by their names and headers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.inside_folder import path_inside
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.natural_order import natural_key
from ictrack.structures.open_image import upright_size
from ictrack.structures.safe_names import check_safe

from .defects import Defects, Subject

# Characters of the longest path that systems allow.
_MAX_NAME = 4096


class ImageFiles:
    """Files below a folder; without a folder only their names are checked."""

    def __init__(self, root: str | Path | None, every: int = 1) -> None:
        """
        Args:
            root: Folder to which names are relative.
            every: Headers are read of every n-th file; that files exist is checked of all.
        """
        self._root = None if root is None else Path(root)
        self._every = every
        self._count = 0

    def subject(self, name: object, box: object = None) -> Subject | None:
        """What a defect of an image's label can be seen in; None without a folder or a usable name."""
        if self._root is None or not isinstance(name, str):
            return None
        try:
            return Subject(path_inside(self._root, name, ""), box)
        except AnnotationError:
            return None

    def check(self, name: str, size: tuple[int, int] | None, where: str, defects: Defects) -> tuple[int, int] | None:
        """Check that a file is there, is an image and has a size; returns its (height, width) if it was read."""
        if self._root is None:
            try:
                check_safe(name, where)
            except AnnotationError as error:
                defects.warning("name", where, str(error).removeprefix(f"{where}: "))
            return None
        try:
            path = path_inside(self._root, name, where)
        except AnnotationError as error:
            defects.error("name", where, str(error).removeprefix(f"{where}: "))
            return None
        if not os.path.isfile(path):  # unlike Path.is_file, also for names that no file can have
            defects.error("missing file", where, f"{path}: no such file")
            return None
        self._count += 1
        if (self._count - 1) % self._every:
            return None
        try:
            found = upright_size(path)
        except AnnotationError as error:
            defects.error("unreadable file", where, str(error))
            return None
        if size is not None:
            text = f"{path} is {found[1]} x {found[0]}, the annotations say {size[1]} x {size[0]}"
            defects.require(found == size, "size", where, text)
        return found


def check_order(names: Sequence[str], where: str, defects: Defects) -> None:
    """Frames of a video come in the natural order of their names, each once."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        other = first.setdefault(name, i)
        defects.require(other == i, "order", f"{where}[{i}]", f"{name} is frame {other}, too")
    if max(map(len, names), default=0) > _MAX_NAME:
        defects.error("order", where, "has a name that is too long for a file")
        return
    keys = [natural_key(name) for name in names]
    for i, (before, after) in enumerate(zip(keys, keys[1:]), 1):
        if after < before:
            defects.error("order", f"{where}[{i}]", f"{names[i]} comes after {names[i - 1]}")
