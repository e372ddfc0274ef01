"""Run-length encoded masks, many at a time, without a pixel in memory.

COCO's encoding (github.com/cocodataset/cocoapi, ``maskApi.c``): a mask of ``size`` [H, W] is read column by column as
runs of 0, 1, 0, 1, ... pixels. ``counts`` is the list of run lengths, or their compressed ASCII string: from the fourth
run on, the difference to the run two before; each number in groups of five bits, least significant first.

pycocotools decodes a string without looking at it and may hang or read beyond its end on a damaged one. Here every
encoding is checked before pycocotools sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RLE = dict[str, Any]
"""``{"size": [H, W], "counts": str | bytes | list[int]}``."""

# A run of up to 2**32 pixels, and differences of two, fit in seven groups of five bits.
_MAX_GROUPS = 7


class RLEError(ValueError):
    """An encoding that is no mask. ``index`` is its position in the sequence that was given."""

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index
        self.reason = reason


@dataclass(frozen=True)
class RunLengths:
    """The runs of N masks, one after the other.

    Attributes:
        counts: (sum of the masks' numbers of runs,) int64.
        offsets: (N + 1,) int64; mask i's runs are ``counts[offsets[i]:offsets[i + 1]]``.
        sizes: (N, 2) int64, rows of (H, W).
    """

    counts: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    def areas(self) -> np.ndarray:
        """Pixels of each mask, (N,) int64."""
        ones = np.where(self._run_index() % 2 == 1, self.counts, 0)
        return np.diff(_cumulative(ones)[self.offsets])

    def take(self, indices: np.ndarray) -> RunLengths:
        """The masks at ``indices`` (M,), in that order."""
        lengths = np.diff(self.offsets)[indices]
        offsets = _cumulative(lengths)
        source = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][indices] - offsets[:-1], lengths)
        return RunLengths(self.counts[source], offsets, self.sizes[indices])

    def _run_index(self) -> np.ndarray:
        """Position of each run within its mask."""
        return np.arange(len(self.counts)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))


def decode_runs(rles: Sequence[RLE]) -> RunLengths:
    """Run lengths of ``rles``, checked.

    Raises:
        RLEError: an encoding without ``size`` [H, W] or ``counts``, with a character or a number that cannot be, or
            whose runs do not add up to H x W.
    """
    sizes = np.empty((len(rles), 2), dtype=np.int64)
    for i, rle in enumerate(rles):
        sizes[i] = _size(i, rle)
    is_list = np.array([isinstance(rle["counts"], (list, tuple)) for rle in rles], dtype=bool)
    if not is_list.any():
        counts, lengths = _parse_strings([rle["counts"] for rle in rles])
    else:
        # Mixed forms: parse each form by itself, then put the masks back in order.
        parts = [np.empty(0, dtype=np.int64)] * len(rles)
        strings = np.flatnonzero(~is_list).tolist()
        try:
            flat, flat_lengths = _parse_strings([rles[i]["counts"] for i in strings])
        except RLEError as error:
            raise RLEError(strings[error.index], error.reason) from None
        for i, part in zip(strings, np.split(flat, np.cumsum(flat_lengths)[:-1])):
            parts[i] = part
        for i in np.flatnonzero(is_list).tolist():
            parts[i] = _parse_list(i, rles[i]["counts"])
        counts = np.concatenate(parts)
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
    runs = RunLengths(counts, _cumulative(lengths), sizes)
    _check_sums(runs)
    return runs


def encode_runs(counts: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    """COCO's compressed strings of N masks' runs; the inverse of what :func:`decode_runs` reads.

    Args:
        counts: (sum of lengths,) int64, all masks' runs.
        lengths: (N,) numbers of runs.
    """
    if len(counts) == 0:
        return [b""] * len(lengths)
    offsets = _cumulative(lengths)
    index = np.arange(len(counts)) - np.repeat(offsets[:-1], lengths)
    values = counts.copy()
    late = np.flatnonzero(index > 2)
    values[late] -= counts[late - 2]

    groups = np.ones(len(values), dtype=np.int64)
    magnitude = np.where(values < 0, ~values, values)
    for k in range(1, _MAX_GROUPS):
        bound = 1 << (5 * k - 1)
        longer = magnitude >= bound
        if not longer.any():
            break
        groups += longer
    ends = np.cumsum(groups)
    position = np.arange(ends[-1]) - np.repeat(ends - groups, groups)
    characters = (np.repeat(values, groups) >> (5 * position)) & 0x1F
    characters += np.where(position < np.repeat(groups, groups) - 1, 0x20, 0) + 48
    text = characters.astype(np.uint8).tobytes()
    limits = _cumulative(groups)[offsets]
    return [text[start:end] for start, end in zip(limits[:-1], limits[1:])]


def encode_mask(mask: np.ndarray) -> RLE:
    """RLE of one mask (H, W), bool or 0/1; the same bytes as ``pycocotools.mask.encode`` with ``counts`` as str.

    Only the tight box of the mask is read run by run, which makes it a few times faster.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask has the shape (H, W), not {mask.shape}")
    height, width = mask.shape
    counts = _mask_counts(np.asarray(mask, dtype=bool))
    return {"size": [height, width], "counts": encode_runs(counts, np.array([len(counts)]))[0].decode("ascii")}


def remove_empty_runs(positions: np.ndarray) -> np.ndarray:
    """Positions at which a mask switches between 0 and 1, ascending, without those that cancel each other out."""
    if len(positions) < 2:
        return positions
    first = np.flatnonzero(np.concatenate([[True], positions[1:] != positions[:-1]]))
    if len(first) == len(positions):
        return positions
    multiplicity = np.diff(np.append(first, len(positions)))
    return positions[first[multiplicity % 2 == 1]]


def _mask_counts(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows) == 0:
        return np.array([height * width], dtype=np.int64)
    top, bottom = rows[0], rows[-1] + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    left, right = columns[0], columns[-1] + 1
    padded = np.zeros((right - left, bottom - top + 2), dtype=bool)
    padded[:, 1:-1] = mask[top:bottom, left:right].T
    # flatnonzero is ten times faster than nonzero of two dimensions.
    column, row = np.divmod(np.flatnonzero(padded[:, 1:] != padded[:, :-1]), bottom - top + 1)
    # A run that ends at the bottom of a column and one that starts at the top of the next are one run.
    positions = remove_empty_runs((left + column) * height + top + row)
    edges = np.concatenate([[0], positions, [height * width]])
    counts = np.diff(edges)
    return counts[:-1] if counts[-1] == 0 else counts


def _cumulative(lengths: np.ndarray) -> np.ndarray:
    """(N,) -> (N + 1,): 0 and the running sums."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def _size(index: int, rle: Any) -> list[int]:
    if not isinstance(rle, dict):
        raise RLEError(index, f"an RLE is an object with size and counts, not {type(rle).__name__}")
    size = rle.get("size")
    if (
        not isinstance(size, (list, tuple))
        or len(size) != 2
        or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and 0 < n < 2**24 for n in size)
    ):
        raise RLEError(index, f"size must be [height, width], not {size!r}")
    if size[0] * size[1] >= 2**32:
        raise RLEError(index, f"size {list(size)} has more pixels than an RLE can count")
    if not isinstance(rle.get("counts"), (str, bytes, list, tuple)):
        raise RLEError(index, "counts must be a string or a list of run lengths")
    return list(size)


def _parse_list(index: int, counts: Sequence[Any]) -> np.ndarray:
    try:
        array = np.asarray(counts)
    except ValueError:
        array = np.empty(0, dtype=object)
    if array.ndim != 1 or (len(array) and not np.issubdtype(array.dtype, np.integer)):
        raise RLEError(index, "counts must be a flat list of integers")
    return array.astype(np.int64)


def _parse_strings(strings: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers in COCO's compressed strings, and how many each string holds."""
    encoded = []
    for i, text in enumerate(strings):
        try:
            encoded.append(text if isinstance(text, bytes) else text.encode("ascii"))
        except UnicodeEncodeError:
            raise RLEError(i, "counts holds a character that is not of the encoding") from None
    string_ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    if len(data) == 0:
        return np.empty(0, dtype=np.int64), np.zeros(len(strings), dtype=np.int64)
    bad = np.flatnonzero((data < 48) | (data > 111))
    if len(bad):
        owner = int(np.searchsorted(string_ends, bad[0], side="right"))
        raise RLEError(owner, f"counts holds a character that is not of the encoding: {chr(data[bad[0]])!r}")
    bits = data - np.uint8(48)
    is_last = (bits & 0x20) == 0
    nonempty = np.flatnonzero(np.diff(string_ends, prepend=0))
    truncated = nonempty[~is_last[string_ends[nonempty] - 1]]
    if len(truncated):
        raise RLEError(int(truncated[0]), "counts ends in the middle of a number")

    ends = np.flatnonzero(is_last)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    numbers_before = np.searchsorted(ends, string_ends - 1, side="right")
    numbers = np.diff(numbers_before, prepend=0)
    if lengths.max() > _MAX_GROUPS:
        where = int(np.searchsorted(numbers_before, np.argmax(lengths), side="right"))
        raise RLEError(where, "counts holds a number that is too large")
    values = np.zeros(len(ends), dtype=np.int64)
    for k in range(int(lengths.max())):
        has = np.flatnonzero(lengths > k)
        values[has] |= (bits[starts[has] + k] & 0x1F).astype(np.int64) << (5 * k)
    negative = (bits[ends] & 0x10) != 0
    values[negative] -= np.int64(1) << (5 * lengths[negative])
    return _undo_differences(values, numbers), numbers


def _undo_differences(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The fourth number on is the difference to the one two before: a running sum over every second number."""
    offsets = _cumulative(lengths)
    index = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
    out = values.copy()
    for chain, in_chain in ((1, index % 2 == 1), (2, (index % 2 == 0) & (index > 0))):
        members = np.flatnonzero(in_chain)
        sums = _cumulative(values[members])
        size = np.maximum(lengths - chain + 1, 0) // 2
        begin = _cumulative(size)[:-1]
        out[members] = sums[1:] - np.repeat(sums[begin], size)
    return out


def _check_sums(runs: RunLengths) -> None:
    totals = np.diff(_cumulative(runs.counts)[runs.offsets])
    pixels = runs.sizes.prod(axis=1)
    wrong = totals != pixels
    if runs.counts.size and runs.counts.min() < 0:
        negative = np.flatnonzero(runs.counts < 0)
        wrong[np.searchsorted(runs.offsets, negative, side="right") - 1] = True
    if wrong.any():
        i = int(np.argmax(wrong))
        height, width = runs.sizes[i]
        raise RLEError(i, f"the runs of counts do not add up to {height} x {width} = {pixels[i]} pixels")
