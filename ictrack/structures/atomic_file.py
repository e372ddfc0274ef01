"""Files that appear under their names only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def part_of(path: str | os.PathLike) -> Path:
    """The file beside ``path`` that this process writes to until it is complete: hidden, and of this process alone."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def replacing_path(path: str | os.PathLike) -> Iterator[Path]:
    """Path of a new file that takes the place of ``path`` when the block is left; if by an exception, nothing changes.

    The folder is made.
    """
    part = part_of(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """The same as an open file, which is on the disk before it takes the place of ``path``."""
    with replacing_path(path) as part, open(part, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
