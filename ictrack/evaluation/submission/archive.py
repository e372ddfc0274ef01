"""Untrusted submissions in a zip or in a folder, read without unpacking anything to disk."""

from __future__ import annotations

import gzip
import io
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

from ictrack.structures.atomic_file import replacing
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.json_files import (
    MAX_UNPACKED_BYTES,
    ZIP_ERRORS,
    AnnotationError,
    is_zip,
    read_unpacked,
    require,
)

_ENCRYPTED = 0x1
_COPY_BYTES = 2**20


class Folder:
    """Files of a folder, or a single file.

    Attributes:
        path: Path of the folder.
        names: Names of the files directly in it, sorted, without hidden files.
    """

    def __init__(self, path: Path) -> None:
        """Raise OSError if there is neither a folder nor a file."""
        if path.is_dir():
            self.path = path
            self.names = sorted(child.name for child in path.iterdir() if child.is_file() and not is_hidden(child.name))
        else:
            path.stat()
            self.path = path.parent
            self.names = [path.name]

    def where(self, name: str) -> str:
        """Name of a file in messages."""
        return str(self.path / name)

    def read(self, name: str) -> bytes:
        """Content of a file, unpacked if it ends in ``.gz``. Raises AnnotationError if it cannot be read."""
        path = self.path / name
        try:
            return _gunzip(path.read_bytes(), self.where(name)) if name.endswith(".gz") else path.read_bytes()
        except OSError as error:
            raise AnnotationError(f"{path}: cannot be read: {error.strerror}") from None

    def __enter__(self) -> Folder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A folder holds nothing open."""


class Archive:
    """Members of a zip, checked as a whole before one is read.

    Attributes:
        path: Path of the zip.
        names: Names of the files in it, as stored and in that order, without files that operating systems add.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            AnnotationError: the file is no zip or damaged, or a member is encrypted, a link, there twice, has a name
                that leads out of the folder, or unpacks to far more than its size.
            OSError: the file cannot be opened.
        """
        self.path = path
        self._file: IO[bytes] = open(path, "rb")  # noqa: SIM115 (closed by __exit__)
        try:
            self._zip = zipfile.ZipFile(self._file)
            _check_members(self._zip.infolist(), path)
        except AnnotationError:
            self._file.close()
            raise
        except ZIP_ERRORS as error:
            self._file.close()
            raise AnnotationError(f"{path}: not a zip, or a damaged one: {error}") from None
        self._members = {
            member.filename: member
            for member in self._zip.infolist()
            if not member.is_dir() and not is_hidden(member.filename)
        }
        self.names = list(self._members)

    def where(self, name: str) -> str:
        """Name of a member in messages."""
        return f"{self.path}: {name!r}"

    def read(self, name: str) -> bytes:
        """Content of a member, unpacked once more if it ends in ``.gz``. Raises AnnotationError if it is damaged."""
        member = self._members[name]
        try:
            with self._zip.open(member) as file:
                data = read_unpacked(file, member.compress_size, self.where(name))
        except AnnotationError:
            raise
        except ZIP_ERRORS as error:
            raise AnnotationError(f"{self.where(name)}: damaged member: {error}") from None
        declared = member.file_size
        require(len(data) == declared, self.where(name), f"damaged member: has {len(data)} bytes, not {declared}")
        return _gunzip(data, self.where(name)) if name.endswith(".gz") else data

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()


def open_submission(path: str | Path) -> Folder | Archive:
    """Context manager of the files of a folder, of a zip of any name, or of a single file.

    Raises:
        AnnotationError: the zip is damaged or unsafe, see :class:`Archive`.
        OSError: there is no such file or folder.
    """
    path = Path(path)
    return Archive(path) if not path.is_dir() and is_zip(path) else Folder(path)


def write_archive(path: str | Path, files: Iterable[tuple[str, Path]]) -> Path:
    """Write a zip of files, the same bytes for the same content. It appears under its name when it is complete.

    Args:
        path: Path of the zip.
        files: Pairs (name in the zip, file); a file ending in ``.gz`` is unpacked if its name there does not.

    Returns:
        ``path``.
    """
    path = Path(path)
    with replacing(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, source in files:
            info = zipfile.ZipInfo(name)  # of 1980, as the time of writing would differ each time
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            opener = gzip.open if source.suffix == ".gz" and not name.endswith(".gz") else open
            with opener(source, "rb") as file, archive.open(info, "w", force_zip64=True) as member:
                shutil.copyfileobj(file, member, _COPY_BYTES)
    return path


def _check_members(members: list[zipfile.ZipInfo], path: Path) -> None:
    seen = set()
    for member in members:
        name, where = member.filename, f"{path}: {member.filename!r}"
        # orig_filename is the stored name; zipfile cuts filename at a NUL.
        stored = PurePosixPath(member.orig_filename.replace("\\", "/"))
        is_outside = stored.is_absolute() or ".." in stored.parts or any(":" in part for part in stored.parts)
        require(not is_outside, where, "its path leads out of the folder that the zip is unpacked to")
        require(name == member.orig_filename and "\\" not in name, where, "a damaged name")
        require(not stat.S_ISLNK(member.external_attr >> 16), where, "is a symbolic link")
        require(not member.flag_bits & _ENCRYPTED, where, "is encrypted")
        require(name not in seen, where, "is there twice")
        seen.add(name)
    total = sum(member.file_size for member in members)
    require(total <= MAX_UNPACKED_BYTES, str(path), f"unpacks to {total} bytes, more than {MAX_UNPACKED_BYTES}")


def _gunzip(data: bytes, where: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as file:
            return read_unpacked(file, len(data), where)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise AnnotationError(f"{where}: damaged file: {error}") from None
