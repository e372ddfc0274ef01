"""Heaps of HDF5 files, on which the library's own reader may go round for ever."""

import struct
from pathlib import Path

import pytest

from ictrack.structures.hdf5_heaps import check_hdf5_heaps

WHOLE = (Path(__file__).parents[1] / "data" / "fuzz" / "labels-sleap" / "whole.slp").read_bytes()
HEAP = WHOLE.index(b"GCOL")


def checked(tmp_path, data):
    path = tmp_path / "a.slp"
    path.write_bytes(data)
    check_hdf5_heaps(path)


def changed(position, value, form="<Q"):
    data = bytearray(WHOLE)
    struct.pack_into(form, data, position, value)
    return bytes(data)


def test_whole_files_and_others_pass(tmp_path):
    checked(tmp_path, WHOLE)
    for data in (b"", b"GCOL", b"no HDF5 at all", WHOLE[: HEAP + 10], WHOLE[: HEAP + 100]):
        checked(tmp_path, data)


def test_an_object_without_an_end_is_refused(tmp_path):
    first = HEAP + 16  # index, count, reserved, size
    free = first + 16 + -(-struct.unpack_from("<Q", WHOLE, first + 8)[0] // 8) * 8
    assert struct.unpack_from("<HHIQ", WHOLE, free)[0] == 0
    # HDF5 2.0 hangs on the first one.
    for position, value in ((free + 8, 0), (first + 8, 2**64 - 16), (first + 8, 2**64 - 20)):
        with pytest.raises(ValueError, match=rf"the HDF5 heap at byte {HEAP} is damaged"):
            checked(tmp_path, changed(position, value))
