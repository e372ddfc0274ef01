"""Check of HDF5 files before the HDF5 library reads them, which goes round for ever in a damaged heap.

Texts of variable length are in global heaps (HDF5 File Format Specification, III.E): a signature, the size of the heap,
and objects one behind the other, each with its size. An object of no extent has no next one.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

_SIGNATURE = b"GCOL\x01"
_HEADER_BYTES = 16
_MIN_BYTES = 4096
# Index, number of references, reserved, and size, which that of index 0 (free space) includes its own header in.
_OBJECT = struct.Struct("<HHIQ")


def check_hdf5_heaps(path: Path) -> None:
    """Raise ValueError if an object in a global heap has no end.

    What else may be wrong, also that the file is of no HDF5, is left to the reader.
    """
    if not path.stat().st_size:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_SIGNATURE)
        while start >= 0:
            _check_heap(data, start)
            start = data.find(_SIGNATURE, start + 1)


def _check_heap(data: mmap.mmap, start: int) -> None:
    position = start + _HEADER_BYTES
    if position > len(data):
        return
    size = int.from_bytes(data[start + 8 : position], "little")
    end = start + size
    if size < _MIN_BYTES or end > len(data):
        return  # bytes that look like a heap, or one that is not read
    while position + _OBJECT.size <= end:
        index, _, _, length = _OBJECT.unpack_from(data, position)
        extent = _OBJECT.size + -(-length // 8) * 8 if index else length
        if not 0 < extent <= end - position:
            raise ValueError(f"the HDF5 heap at byte {start} is damaged")
        position += extent
