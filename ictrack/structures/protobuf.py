"""Fields of messages in the wire format of Protocol Buffers, for files of which only a few are needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Longest encoding of a 64-bit number.
_MAX_VARINT_BYTES = 10


def read_fields(data: bytes | memoryview) -> list[tuple[int, Any]]:
    """(Number, value) of each field of a message: an int, or bytes. Raises IndexError if it is damaged."""
    return list(_parse(memoryview(data)))


def one_field(fields: list[tuple[int, Any]], number: int) -> Any:
    """Value of a field. Raises KeyError if it is missing."""
    for found, value in fields:
        if found == number:
            return value
    raise KeyError(number)


def read_varints(data: bytes) -> list[int]:
    """Numbers of a packed field. Raises IndexError if it is damaged."""
    numbers, position = [], 0
    while position < len(data):
        number, position = _varint(memoryview(data), position)
        numbers.append(number)
    return numbers


def _parse(data: memoryview) -> Iterator[tuple[int, Any]]:
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if length is None:
            if kind != _BYTES:
                raise IndexError(f"unknown kind of field {kind}")
            length, position = _varint(data, position)
        if position + length > len(data):
            raise IndexError("a field reaches beyond the end")
        yield number, bytes(data[position : position + length])
        position += length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * _MAX_VARINT_BYTES, 7):
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value, position
    raise IndexError("a number does not end")
