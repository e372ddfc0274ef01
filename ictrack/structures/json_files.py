"""Reader of JSON files of any packing and encoding, and checks that the formats share."""

from __future__ import annotations

import codecs
import gc
import gzip
import io
import json
import lzma
import math
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from .describe import describe
from .hidden_files import is_hidden
from .json_runs import load_with_packed_runs

# Seconds without garbage collection that make a count of all frozen objects worth its time.
_LONG_SECONDS = 0.5
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
# Errors of zipfile and its decompressors on damaged, encrypted or unknown archives.
ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, NotImplementedError,
    RuntimeError, OverflowError, ValueError, OSError,
)  # fmt: skip
# Bounds of a file and of unpacking, so that a small file cannot fill the memory: JSON of masks shrinks tenfold, lists
# of nulls up to a thousandfold. How deeply values are nested, Python's own limit of recursion bounds.
MAX_UNPACKED_BYTES = 2**34
MAX_UNPACKING_RATIO = 200
MIN_SUSPECT_BYTES = 2**24
_BLOCK_BYTES = 2**20


class AnnotationError(ValueError):
    """A file that violates its format. The message names the file, if there is one, and the JSON path."""


def read_json(path: str | Path, *, pack_runs: bool = False) -> Any:
    """Content of a JSON file, plain, gzipped or alone in a zip, whatever its name.

    Args:
        path: Path of the file.
        pack_runs: Whether lists of run lengths, the "counts" of RLEs, may be read as ``array("i")``, which is faster.

    Raises:
        AnnotationError: the file is damaged, cut short, no JSON, nested too deeply or too large.
        OSError: the file cannot be opened.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        require(size <= MAX_UNPACKED_BYTES, str(path), f"has {size} bytes, more than {MAX_UNPACKED_BYTES}")
        data = file.read()
    return parse_json(_unpacked(data, str(path)), str(path), pack_runs=pack_runs)


def is_zip(path: str | Path) -> bool:
    """Whether a file is a zip, by its first bytes or, in case it is damaged, by its name."""
    with open(path, "rb") as file:
        return file.read(len(_ZIP)) == _ZIP or Path(path).suffix.lower() == ".zip"


def _unpacked(data: bytes, name: str) -> bytes:
    if data.startswith(_GZIP):
        try:
            with gzip.open(io.BytesIO(data)) as file:
                return read_unpacked(file, len(data), name)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise AnnotationError(f"{name}: damaged file: {error}") from None
    if data.startswith(_ZIP):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [
                    member
                    for member in archive.infolist()
                    if member.filename.lower().endswith((".json", ".json.gz")) and not is_hidden(member.filename)
                ]
                require(len(members) == 1, name, f"the zip has {len(members)} JSON files; it must have one")
                with archive.open(members[0]) as member:
                    content = read_unpacked(member, members[0].compress_size, name)
        except AnnotationError:
            raise
        except ZIP_ERRORS as error:
            raise AnnotationError(f"{name}: damaged file: {error}") from None
        return _unpacked(content, name) if content.startswith(_GZIP) else content
    return data


def _as_utf8(data: bytes) -> bytes:
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    encoding = json.detect_encoding(data)
    return data if encoding == "utf-8" else data.decode(encoding).encode("utf-8")


def read_unpacked(file: IO[bytes] | gzip.GzipFile, packed_bytes: int, name: str) -> bytes:
    """Rest of a stream that unpacks ``packed_bytes`` bytes.

    Raises:
        AnnotationError: the content is far larger than JSON of masks can be; ``name`` is its file.
    """
    limit = min(MAX_UNPACKED_BYTES, max(MIN_SUSPECT_BYTES, MAX_UNPACKING_RATIO * packed_bytes))
    data = io.BytesIO()
    while block := file.read(_BLOCK_BYTES):  # to read up to the limit at once would reserve it
        data.write(block)
        require(data.tell() <= limit, name, f"damaged file: {packed_bytes} bytes unpack to more than {limit}")
    return data.getvalue()


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Context without garbage collection, which takes half of the time where millions of small objects are made."""
    was_enabled, start = gc.isenabled(), time.perf_counter()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            # What a program has frozen, perhaps millions of objects before a fork (data/codecs.py), stays frozen; to
            # count them may take longer than to read a small file.
            if time.perf_counter() - start >= _LONG_SECONDS and gc.get_freeze_count() == 0:
                # The new objects count as old at once, so that the next search for young garbage passes them over.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def parse_json(data: bytes, name: str, *, pack_runs: bool = False) -> Any:
    """Content of JSON text in UTF-8, 16 or 32, with or without a byte order mark, see :func:`read_json`.

    Raises AnnotationError, with the ``name`` of its file, if it is no JSON.
    """
    try:
        data = _as_utf8(data)
        with no_garbage_collection():
            if pack_runs and (content := load_with_packed_runs(data)) is not None:
                return content
            text = data.decode("utf-8")
            del data  # frees memory for the content
            return json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise AnnotationError(f"{name}: not valid JSON, {where}: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{name}: damaged file: {error}") from None
    except RecursionError:
        raise AnnotationError(f"{name}: not valid JSON: nested too deeply") from None
    except ValueError:  # Python refuses to read integers of thousands of digits
        raise AnnotationError(f"{name}: holds a number of too many digits") from None


def is_int(value: Any) -> bool:
    """Whether a JSON value is an integer."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a JSON value is a whole number: 1 or 1.0, which official tools take for the same id."""
    return is_int(value) or (isinstance(value, float) and value.is_integer())


def is_finite(value: Any) -> bool:
    """Whether a JSON value is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def require(condition: bool, path: str, expected: str) -> None:
    """Raise AnnotationError with the JSON path and what was expected there, unless the condition holds."""
    if not condition:
        raise AnnotationError(f"{path}: {expected}")


def index_by_id(entries: Any, path: str) -> dict[int, dict[str, Any]]:
    """Entries by their ``id``. Raises AnnotationError unless they are objects with unique integer ids."""
    require(isinstance(entries, list), path, "must be a list")
    by_id: dict[int, dict[str, Any]] = {}
    for i, entry in enumerate(entries):
        where = f"{path}[{i}]"
        require(isinstance(entry, dict), where, "must be an object")
        require(is_int(entry.get("id")), f"{where}.id", f"must be an integer, not {describe(entry.get('id'))}")
        require(entry["id"] not in by_id, f"{where}.id", f"{describe(entry['id'])} is used twice")
        by_id[entry["id"]] = entry
    return by_id
