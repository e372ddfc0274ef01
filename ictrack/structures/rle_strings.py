"""COCO's compressed strings of run lengths (github.com/cocodataset/cocoapi, ``maskApi.c``), many at a time.

From the fourth run of a mask on, a number is the difference to the run two before. Each number is written in groups of
five bits, least significant first, one per character from "0" (48) on; a sixth bit says that more follow, and the
highest bit of the last group is the sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

RLE = dict[str, Any]
"""``{"size": [H, W], "counts": str | bytes | list[int] | array("i")}``."""

_MAX_GROUPS = 6  # enough for differences of runs of fewer than 2**29 pixels


class RLEError(ValueError):
    """An encoding that is no mask. ``index`` is its position in the given sequence."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


def parse_strings(strings: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenated run lengths of strings, int32, and how many each holds, (N,) int64; not checked to fit a mask.

    Raises:
        RLEError: a string does not encode numbers.
    """
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    string_ends = np.cumsum(lengths)
    data = np.frombuffer(_join(strings), dtype=np.uint8)
    if len(data) == 0:
        return np.empty(0, dtype=np.int32), np.zeros(len(strings), dtype=np.int64)
    bits = data - np.uint8(48)  # wraps around below 48
    if bits.max() > 63:
        bad = int(np.argmax(bits > 63))
        owner = int(np.searchsorted(string_ends, bad, side="right"))
        start = int(string_ends[owner - 1]) if owner else 0
        if data[start : start + 2].tobytes() in (b"b'", b'b"'):
            raise RLEError(owner, "counts is the text of Python bytes, b'...': write it with .decode(), not str()")
        raise RLEError(owner, f"counts holds a character that is not of the encoding: {chr(data[bad])!r}")
    is_last = bits < 0x20
    nonempty = np.flatnonzero(lengths)
    truncated = nonempty[~is_last[string_ends[nonempty] - 1]]
    if len(truncated):
        raise RLEError(int(truncated[0]), "counts ends in the middle of a number")

    continued = np.flatnonzero(~is_last)
    limits = string_ends - np.searchsorted(continued, string_ends)  # numbers up to the end of each string
    values = _last_two_groups(bits)[is_last].astype(np.int32)
    _add_further_groups(values, bits, continued, limits)
    _undo_differences(values, np.concatenate([[0], limits]))
    return values, np.diff(limits, prepend=0)


def encode_runs(counts: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    """COCO's compressed strings of N masks' runs; the inverse of :func:`parse_strings`.

    Args:
        counts: (sum of lengths,) concatenated integer runs of all masks.
        lengths: (N,) number of runs of each mask.
    """
    if len(counts) == 0:
        return [b""] * len(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    counts = counts.astype(np.int32, copy=False)
    values = counts.copy()
    values[2:] -= counts[:-2]
    # The first three runs of each mask are no differences.
    first = np.concatenate([offsets[:-1][lengths > i] + i for i in range(3)])
    values[first] = counts[first]

    magnitude = np.where(values < 0, ~values, values)
    groups = np.ones(len(values), dtype=np.uint8)
    for k in range(1, _MAX_GROUPS):
        groups += magnitude >= 1 << (5 * k - 1)
    ends = np.cumsum(groups, dtype=np.int64)
    position = ends - groups
    limits = np.concatenate([[0], ends])[offsets]
    text = np.empty(ends[-1], dtype=np.uint8)
    while len(values):
        more = groups > 1
        text[position] = (values & 0x1F).astype(np.uint8) + (more.view(np.uint8) << 5) + np.uint8(48)
        longer = np.flatnonzero(more)
        values, groups, position = values[longer] >> 5, groups[longer] - np.uint8(1), position[longer] + 1
    characters = text.tobytes()
    return [characters[start:end] for start, end in zip(limits[:-1].tolist(), limits[1:].tolist())]


def _join(strings: Sequence[str | bytes]) -> bytes:
    try:
        return "".join(strings).encode("ascii")  # type: ignore[arg-type]
    except (TypeError, UnicodeEncodeError):
        pass
    encoded = []
    for i, text in enumerate(strings):
        try:
            encoded.append(text if isinstance(text, bytes) else text.encode("ascii"))
        except UnicodeEncodeError:
            raise RLEError(i, "counts holds a character that is not of the encoding") from None
    return b"".join(encoded)


def _last_two_groups(bits: np.ndarray) -> np.ndarray:
    """Value of each character's five bits with their sign and the five bits before, if any, as if a number ended there.

    Nearly all numbers have one or two groups. Vectorized operations on all characters are several times faster than
    picking out the last ones.
    """
    values = ((bits << np.uint8(3)).view(np.int8) >> 3).astype(np.int16)
    has_lower = bits[:-1] >> np.uint8(5)
    values[1:] <<= has_lower * np.uint8(5)
    values[1:] |= (bits[:-1] & np.uint8(0x1F)) * has_lower
    return values


def _add_further_groups(values: np.ndarray, bits: np.ndarray, continued: np.ndarray, limits: np.ndarray) -> None:
    """Append, in place, the bits below the two highest groups to numbers (M,).

    Args:
        values: (M,) numbers.
        bits: (C,) six bits of each character.
        continued: Positions of the characters that others follow.
        limits: (N,) count of numbers up to the end of each string.
    """
    # Second last groups of numbers with a third: the previous character is continued, the next one is not.
    second = np.flatnonzero(np.diff(continued) == 1) + 1
    second = second[bits[continued[second] + 1] < 0x20]
    # Before it, `second` characters end no number.
    number, position = continued[second] - second, continued[second] - 1
    for _ in range(2, _MAX_GROUPS):
        if len(number) == 0:
            return
        values[number] = (values[number] << 5) | (bits[position] & 0x1F)
        goes_on = position > 0
        goes_on[goes_on] = bits[position[goes_on] - 1] >= 0x20
        number, position = number[goes_on], position[goes_on] - 1
    if len(number):
        owner = int(np.searchsorted(limits, number[0], side="right"))
        raise RLEError(owner, "counts holds a number that is too large")


def _undo_differences(values: np.ndarray, offsets: np.ndarray) -> None:
    """Sum up, in place, the differences that numbers are from the fourth run of a mask on.

    Every second number of a mask forms a running sum, which restarts at its second and at its third number. The numbers
    at even and at odd positions of all masks are each summed up in one operation; where a sum restarts, the previous
    sum is subtracted. As in pycocotools, numbers wrap around at 32 bits.
    """
    starts, ends = offsets[:-1], offsets[1:]
    restarts = np.concatenate([starts[starts + i < ends] + i for i in range(3)])
    for parity in (0, 1):
        chain = values[parity::2]
        begin = np.sort(restarts[restarts % 2 == parity] // 2)
        if len(begin) == 0:
            continue
        sums = np.add.reduceat(chain, begin, dtype=np.int32)
        chain[begin[1:]] -= sums[:-1]
        np.cumsum(chain, out=chain, dtype=np.int32)
