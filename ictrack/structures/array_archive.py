"""Archives of NumPy arrays (``.npz``), read without pickle and without unpacking a small file to a huge one."""

from __future__ import annotations

import os
import zipfile
from typing import IO

import numpy as np

from .json_files import MAX_UNPACKING_RATIO, MIN_SUSPECT_BYTES


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays of a file by their names.

    Raises:
        ValueError: it is damaged or no archive of arrays of numbers; the message does not name it.
        OSError: it cannot be opened.
    """
    with open(path, "rb") as file:
        try:
            check_unpacked_size(file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            if others := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
                raise ValueError(f"{others[0]} is no array")
            return arrays
        except Exception as error:  # zipfile and NumPy raise many kinds
            raise ValueError(f"no archive of arrays, or a damaged one: {error}") from None


def check_unpacked_size(file: IO[bytes]) -> None:
    """Raise ValueError if a zip says that it unpacks to far more than arrays of numbers do; or an error of zipfile."""
    packed = file.seek(0, os.SEEK_END)
    limit = max(MIN_SUSPECT_BYTES, MAX_UNPACKING_RATIO * packed)
    with zipfile.ZipFile(file) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if total > limit:
        raise ValueError(f"{packed} bytes unpack to {total}")
