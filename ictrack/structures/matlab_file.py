"""Check of MATLAB files before SciPy reads them, which a damaged one can end with the whole process."""

from __future__ import annotations

import struct
import zlib

from .json_files import MAX_UNPACKING_RATIO, MIN_SUSPECT_BYTES

_HEADER_BYTES, _ENDIAN_AT = 128, 126
_BYTE_ORDERS = {b"IM": "<", b"MI": ">"}
# Type of an element that holds a variable compressed by zlib, with a checksum (MAT-File Level 5 format).
_COMPRESSED = 15


def check_compressed_mat(data: bytes) -> None:
    """Raise ValueError if a file is not of MATLAB's version 7, where every variable has a checksum, if one has another
    checksum, or if one unpacks to far more than it should.

    Args:
        data: Content of the file.
    """
    order = _BYTE_ORDERS.get(data[_ENDIAN_AT:_HEADER_BYTES])
    if order is None:
        raise ValueError("it has not the header of MATLAB's version 7")
    position = _HEADER_BYTES
    while position < len(data):
        if position + 8 > len(data):
            raise ValueError("it is cut off")
        kind, size = struct.unpack_from(f"{order}II", data, position)
        if kind != _COMPRESSED:
            advice = "save them by MATLAB's `save -v7`, or SciPy's savemat with do_compression=True"
            raise ValueError(f"it has variables that are not compressed, and so no checksums; {advice}")
        _check_stream(data[position + 8 : position + 8 + size])
        position += 8 + size


def _check_stream(packed: bytes) -> None:
    limit = max(MIN_SUSPECT_BYTES, MAX_UNPACKING_RATIO * len(packed))
    stream, total = zlib.decompressobj(), 0
    try:
        while packed and not stream.eof:
            total += len(stream.decompress(packed, limit))
            if total > limit:
                raise ValueError(f"a variable unpacks to more than {limit} bytes")
            packed = stream.unconsumed_tail
    except zlib.error as error:
        raise ValueError(f"a variable is damaged: {error}") from None
    if not stream.eof:
        raise ValueError("a variable is cut off")
