"""Reader of JSON with long lists of run lengths, without a Python number for each of them.

A ground-truth file consists mostly of such lists. They are cut out of the text, decoded by NumPy, and put back, as
``array("i")``, into the parsed rest. That takes half of the time and a fifth of the memory.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Span = tuple[int, int]

_BEFORE_LIST = re.compile(rb'"counts"\s*:\s*(?=\[)')
_TOKEN = "run lengths "  # noqa: S105  placeholder of a list in the text, followed by its number
_BLOCK_BYTES = 2**17  # decoded together; the intermediate arrays fit in a processor's cache
_MAX_DIGITS = 9  # longer numbers may not fit in 32 bits, and are no run lengths
_SEPARATORS = b",]"


class _NoRunLengths(ValueError):
    """A list that holds no run lengths, or is written in an unusual form."""


def load_with_packed_runs(data: bytes) -> Any | None:
    """Content of JSON text, with each list of whole numbers under a key "counts" as ``array("i")``.

    None if it has to be read in the usual way: it is no JSON, has no such list, or has one that is not written as by
    ``json.dump``, in one line with at most a space behind each comma.
    """
    spans = list(_find_lists(data))
    rest = b"".join(_between(data, spans, [b""] * len(spans)))
    if not spans or _TOKEN.encode() in rest:
        return None
    names = [f"{_TOKEN}{i}" for i in range(len(spans))]
    try:
        lists = dict(zip(names, _decode(data, spans)))
        rest = b"".join(_between(data, spans, [f'"{name}"'.encode() for name in names]))
        text = rest.decode("utf-8")
    except ValueError:
        return None

    def put_back(entry: dict[str, Any]) -> dict[str, Any]:
        counts = entry.get("counts")
        if type(counts) is str and counts in lists:
            entry["counts"] = lists.pop(counts)
        return entry

    try:
        content = json.loads(text, object_hook=put_back)
    except (ValueError, RecursionError):
        return None
    # A list that is left belongs to a key that only ends in "counts", or was overwritten by a repeated key.
    return None if lists else content


def _find_lists(data: bytes) -> Iterator[Span]:
    """Spans of lists, from their opening bracket to behind the next closing one."""
    end = 0
    while before := _BEFORE_LIST.search(data, end):
        end = data.find(b"]", before.end()) + 1
        if end == 0:
            return
        yield before.end(), end


def _between(data: bytes, spans: Sequence[Span], replacements: Sequence[bytes]) -> Iterator[bytes]:
    """Pieces of the text with the spans replaced."""
    last = 0
    for (start, end), replacement in zip(spans, replacements):
        yield data[last:start]
        yield replacement
        last = end
    yield data[last:]


def _decode(data: bytes, spans: Sequence[Span]) -> Iterator[array[int]]:
    """Numbers of each list. Raises ValueError if a list holds other values, or is written in an unusual form."""
    block: list[bytes] = []
    size = 0
    for start, end in spans:
        block.append(data[start + 1 : end])
        size += end - start
        if size >= _BLOCK_BYTES:
            yield from _decode_block(b"".join(block))
            block, size = [], 0
    yield from _decode_block(b"".join(block))


def _decode_block(text: bytes) -> Iterator[array[int]]:
    """Numbers of concatenated lists without their opening brackets."""
    if not text:
        return
    characters = np.frombuffer(text, dtype=np.uint8)
    digits = characters - np.uint8(48)  # wraps around below 48
    is_digit = digits < 10
    is_end = is_digit[:-1] & ~is_digit[1:]
    separators = characters[1:][is_end]
    numbers = len(separators)
    limits = np.flatnonzero(separators == _SEPARATORS[1])
    # Each number is followed by its separator, and all other characters are spaces.
    num_others = len(text) - np.count_nonzero(is_digit) - numbers
    if (
        np.count_nonzero(separators == _SEPARATORS[0]) + len(limits) != numbers
        or text.count(b" ") != num_others
        or text.count(b"]") != len(limits)
        or _has_leading_zeros(digits, is_digit)
    ):
        raise _NoRunLengths
    values = _numbers_ending(digits, is_digit, is_end)
    start = 0
    for end in (limits + 1).tolist():
        yield array("i", values[start:end].tobytes())
        start = end


def _has_leading_zeros(digits: np.ndarray, is_digit: np.ndarray) -> bool:
    starts = is_digit.copy()
    starts[1:] &= ~is_digit[:-1]
    return bool((starts[:-1] & (digits[:-1] == 0) & is_digit[1:]).any())


def _numbers_ending(digits: np.ndarray, is_digit: np.ndarray, is_end: np.ndarray) -> np.ndarray:
    """Numbers (M,) that end at characters (C - 1,).

    Most have up to three digits, which are combined for every character as if a number ended there, in vectorized
    operations; further digits are added where there are any.
    """
    digits = digits * is_digit
    values = digits.astype(np.uint16)
    values[1:] += digits[:-1] * np.uint8(10)
    # NumPy 1 would multiply by a number in the digits' own type, and wrap around.
    values[2:] += np.multiply(digits[:-2] * is_digit[1:-1], 100, dtype=np.uint16)
    numbers = values[:-1][is_end].astype(np.intc)
    longer = np.flatnonzero(is_end[3:] & is_digit[2:-2] & is_digit[1:-3] & is_digit[:-4]) + 3
    which = np.searchsorted(np.flatnonzero(is_end), longer)
    for power in range(3, _MAX_DIGITS):
        if len(which) == 0:
            return numbers
        numbers[which] += digits[longer - power].astype(np.intc) * np.intc(10**power)
        goes_on = longer > power
        goes_on[goes_on] = is_digit[longer[goes_on] - power - 1]
        which, longer = which[goes_on], longer[goes_on]
    if len(which):
        raise _NoRunLengths
    return numbers
