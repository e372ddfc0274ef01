"""Atomic writing: files and folders that appear under their names only when they are complete."""

from __future__ import annotations

import errno
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def part_of(path: str | os.PathLike) -> Path:
    """Hidden file beside ``path``, unique to this process, that is written until it is complete."""
    path = Path(path)
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """Context whose errors of the system are of a file, where they name none, as of a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror or str(error), os.fspath(path)) from error


@contextmanager
def replacing_path(path: str | os.PathLike) -> Iterator[Path]:
    """Path of a new file that replaces ``path`` at the end of the block, unless by an exception. Its folder is made.

    Raises IsADirectoryError if the path is a folder.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, "is a folder; name a file", os.fspath(path))
    part = part_of(path)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        with naming(path):
            yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Open file that replaces ``path`` at the end of the block, once it is on the disk; see :func:`replacing_path`."""
    with replacing_path(path) as part, open(part, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def new_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Hidden folder that is called ``path`` at the end of the block, and removed after an exception.

    Raises FileExistsError if the path is there already, unless as an empty folder.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FileExistsError(errno.EEXIST, "is there already; name a new or empty folder", str(path))
    part = part_of(path)
    try:
        part.mkdir(parents=True)
        with naming(path):
            yield part
        if path.exists():
            path.rmdir()
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_stale_parts(path: str | os.PathLike) -> None:
    """Delete what processes that were killed have left of ``path`` beside it, see :func:`part_of`."""
    path = Path(path)
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        number = part.name[len(path.name) + 2 : -len(".part")]
        if number.isdigit() and not _is_running(int(number)):
            if part.is_dir():
                shutil.rmtree(part, ignore_errors=True)
            else:
                part.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where signal 0 ends a process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's, or no number of a process
        return True
    return True
