"""Damaged MATLAB files are refused before SciPy reads them."""

import io
import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.matlab_file import check_compressed_mat
from ictrack.structures.mpii_mat import read_mpii_mat


def saved(**options):
    file = io.BytesIO()
    savemat(file, {"a": np.arange(50), "b": "text"}, **options)
    return file.getvalue()


def test_whole_files_of_version_7():
    check_compressed_mat(saved(do_compression=True))


def test_no_damage_of_a_variable_gets_through():
    data = saved(do_compression=True)
    (size,) = struct.unpack_from("<I", data, 132)
    unpacked, num_refused = zlib.decompress(data[136 : 136 + size]), 0
    for position in range(136, 136 + size):
        damaged = data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]
        try:
            check_compressed_mat(damaged)
        except ValueError:
            num_refused += 1
        else:  # a bit between the stream and its checksum
            assert zlib.decompress(damaged[136 : 136 + size]) == unpacked
    assert num_refused >= size - 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "header"),
        (b"x" * 400, "header"),
        (saved(), "save -v7"),
        (saved(format="4"), "header"),
        (saved(do_compression=True)[:-3], "cut off"),
        (saved(do_compression=True)[:133], "cut off"),
        (saved()[:128] + struct.pack("<II", 15, 200_000) + zlib.compress(bytes(10**8)), "unpacks to more"),
    ],
    ids=["empty", "text", "not compressed", "version 4", "cut", "cut tag", "bomb"],
)
def test_other_files_are_refused(data, reason, tmp_path):
    with pytest.raises(ValueError, match=reason):
        check_compressed_mat(data)
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(AnnotationError, match=r"a\.mat: not a MATLAB file .*" + reason):
        read_mpii_mat(tmp_path / "a.mat")
