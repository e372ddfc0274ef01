"""Run-length encoded masks, many at a time, without decoding them to pixels.

COCO's encoding (github.com/cocodataset/cocoapi, ``maskApi.c``): a mask of ``size`` [H, W] is read column by column as
runs of 0, 1, 0, 1, ... pixels. ``counts`` is the list of run lengths, or their compressed ASCII string: from the fourth
run on, the difference to the run two before; each number in groups of five bits, least significant first.

pycocotools decodes strings unchecked, and may hang or read beyond the end of a damaged one. Here every encoding is
checked before pycocotools gets it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from .describe import describe
from .rle_masks import encode_mask, encode_part, merge_empty_runs, remove_empty_runs
from .rle_strings import RLE, RLEError, encode_runs, parse_strings

__all__ = [
    "MAX_PIXELS",
    "RLE",
    "MaskExtents",
    "RLEError",
    "RunLengths",
    "decode_blocks",
    "decode_runs",
    "encode_mask",
    "encode_part",
    "encode_runs",
    "has_empty_runs",
    "merge_empty_runs",
    "remove_empty_runs",
]

# Exclusive bound of a frame's pixels: runs, and differences of two, fit in six groups of five bits and in int32.
MAX_PIXELS = 2**29
# Characters or runs that are decoded together; the intermediate arrays fit in a processor's cache.
_BLOCK_LENGTH = 2**18


@dataclass(frozen=True)
class MaskExtents:
    """Areas and extents of N masks.

    Attributes:
        areas: (N,) int64 number of pixels.
        columns: (N, 2) int64 first and last column with a pixel, see :meth:`RunLengths.columns`.
        sizes: (N, 2) int64 rows of (H, W).
    """

    areas: np.ndarray
    columns: np.ndarray
    sizes: np.ndarray

    @classmethod
    def concatenate(cls, parts: Sequence[MaskExtents]) -> MaskExtents:
        """Extents of the masks of any number of parts."""
        none = np.empty(0, dtype=np.int64)
        return cls(
            np.concatenate([none, *(part.areas for part in parts)]),
            np.concatenate([none.reshape(0, 2), *(part.columns for part in parts)]),
            np.concatenate([none.reshape(0, 2), *(part.sizes for part in parts)]),
        )


@dataclass(frozen=True)
class RunLengths:
    """Concatenated runs of N masks.

    Attributes:
        counts: (sum of the masks' numbers of runs,) int32 run lengths.
        offsets: (N + 1,) int64; mask i's runs are ``counts[offsets[i]:offsets[i + 1]]``.
        sizes: (N, 2) int64 rows of (H, W).
    """

    counts: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    @cached_property
    def sum_type(self) -> type:
        """Integer type that cannot overflow in a sum of a mask's runs: int32, which is faster, or int64."""
        largest = max(int(self.counts.max(initial=0)), -int(self.counts.min(initial=0)))
        return np.int32 if largest * int(np.diff(self.offsets).max(initial=0)) < 2**31 else np.int64

    def extents(self) -> MaskExtents:
        return MaskExtents(self.areas(), self.columns(), self.sizes)

    def areas(self) -> np.ndarray:
        """Number of pixels of each mask, (N,) int64."""
        areas = np.zeros(len(self), dtype=np.int64)
        # Every second run of a mask is of ones; masks whose runs of ones are at even positions come first, then odd.
        for parity in (0, 1):
            first = self.offsets[:-1] + 1
            masks = np.flatnonzero((first % 2 == parity) & (first < self.offsets[1:]))
            if len(masks):
                # Every second sum is of runs between two masks, and dropped.
                limits = np.stack([first[masks], self.offsets[masks + 1]]).T.ravel()
                chain = self.counts[parity::2]
                limits = (limits - parity + 1) // 2
                if limits[-1] == len(chain):
                    limits = limits[:-1]
                areas[masks] = np.add.reduceat(chain, limits, dtype=self.sum_type)[::2]
        return areas

    def columns(self) -> np.ndarray:
        """First and last column with a pixel of each mask, (N, 2) int64; (0, -1) for a mask without pixels.

        Exact if no run but the first is empty, else bounds.
        """
        heights, pixels = self.sizes[:, 0], self.sizes.prod(axis=1)
        numbers = np.diff(self.offsets)
        first = self.counts[self.offsets[:-1]]
        # An odd number of runs ends with zeros.
        behind = np.where(numbers % 2 == 1, self.counts[self.offsets[1:] - 1], 0)
        limits = np.stack([first // heights, (pixels - behind - 1) // heights], axis=1)
        limits[numbers < 2] = (0, -1)
        return limits

    def boxes(self) -> np.ndarray:
        """Exact boxes (N, 4) int64 x0, y0, x1, y1 of the pixels; zeros for a mask without pixels."""
        boxes = np.zeros((len(self), 4), dtype=np.int64)
        position = np.arange(len(self.counts)) - np.repeat(self.offsets[:-1], np.diff(self.offsets))
        ones = np.flatnonzero((position % 2 == 1) & (self.counts > 0))
        masks = np.searchsorted(self.offsets, ones, side="right") - 1
        ends = _cumulative(self.counts)
        first = ends[ones] - ends[self.offsets[masks]]
        last = first + self.counts[ones] - 1
        heights = self.sizes[masks, 0]
        left, right = first // heights, last // heights
        # A run that goes on in the next column has the last row of one and the first of the other.
        wraps = left < right
        top = np.where(wraps, 0, first % heights)
        bottom = np.where(wraps, heights - 1, last % heights)
        present, starts = np.unique(masks, return_index=True)
        if len(present):
            boxes[present, :2] = np.stack([np.minimum.reduceat(side, starts) for side in (left, top)], axis=1)
            boxes[present, 2:] = 1 + np.stack([np.maximum.reduceat(side, starts) for side in (right, bottom)], axis=1)
        return boxes


def decode_runs(rles: Sequence[RLE]) -> RunLengths:
    """Checked run lengths of ``rles``.

    Raises:
        RLEError: an encoding has no ``size`` [H, W] or ``counts``, an invalid character or number, or runs that do not
            add up to H x W.
    """
    blocks = list(decode_blocks(rles))
    if not blocks:
        return RunLengths(np.empty(0, dtype=np.int32), np.zeros(1, dtype=np.int64), np.empty((0, 2), dtype=np.int64))
    return RunLengths(
        np.concatenate([runs.counts for runs in blocks]),
        _cumulative(np.concatenate([np.diff(runs.offsets) for runs in blocks])),
        np.concatenate([runs.sizes for runs in blocks]),
    )


def decode_blocks(rles: Sequence[RLE]) -> Iterator[RunLengths]:
    """Run lengths of :func:`decode_runs` block by block, so that few runs are in memory at a time."""
    sizes = _sizes(rles)
    encodings = [rle["counts"] for rle in rles]
    lengths = np.fromiter(map(len, encodings), dtype=np.int64, count=len(rles))
    first = np.flatnonzero(np.diff(np.cumsum(lengths) // _BLOCK_LENGTH, prepend=-1)).tolist()
    for start, end in zip(first, [*first[1:], len(rles)]):
        try:
            counts, numbers = _parse(encodings[start:end])
            runs = RunLengths(counts, _cumulative(numbers), sizes[start:end])
            _check_sums(runs)
        except RLEError as error:
            raise RLEError(start + error.index, error.reason) from None
        yield runs


def has_empty_runs(runs: RunLengths) -> set[int]:
    """Indices of the masks with an empty run beyond the first, which may be empty in any mask."""
    empty = np.flatnonzero(runs.counts == 0)
    masks = np.searchsorted(runs.offsets, empty, side="right") - 1
    return set(masks[empty > runs.offsets[masks]].tolist())


def _cumulative(lengths: np.ndarray) -> np.ndarray:
    """Offsets (N + 1,) of parts of these lengths (N,)."""
    out = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def _sizes(rles: Sequence[Any]) -> np.ndarray:
    """Sizes (N, 2), checked, as are the types of ``counts``; all at once, and one by one only to find an error."""
    try:
        sizes = [rle["size"] for rle in rles]
        counts = [rle["counts"] for rle in rles]
        # A float or a bool equals an integer, so types are compared too.
        if (
            set(map(type, rles)) == {dict}
            and set(map(type, sizes)) <= {list, tuple}
            and set(map(type, chain.from_iterable(sizes))) == {int}
            and set(map(type, counts)) <= {str, bytes, list, tuple, array}
        ):
            distinct = [sizes[0]] if sizes.count(sizes[0]) == len(sizes) else sizes
            if all(len(s) == 2 and min(s) > 0 and s[0] * s[1] < MAX_PIXELS for s in distinct):
                return np.broadcast_to(np.array(distinct, dtype=np.int64), (len(sizes), 2))
    except (TypeError, KeyError):
        pass
    return np.array([_size(i, rle) for i, rle in enumerate(rles)], dtype=np.int64).reshape(-1, 2)


def _size(index: int, rle: Any) -> Sequence[int]:
    if not isinstance(rle, dict):
        raise RLEError(index, f"an RLE is an object with size and counts, not {type(rle).__name__}")
    size = rle.get("size")
    if not isinstance(size, (list, tuple)) or len(size) != 2 or type(size[0]) is not int or type(size[1]) is not int:
        raise RLEError(index, f"size must be [height, width], not {describe(size)}")
    if size[0] <= 0 or size[1] <= 0:
        raise RLEError(index, f"size must be positive, not {describe(list(size))}")
    if size[0] * size[1] >= MAX_PIXELS:
        raise RLEError(index, f"size {describe(list(size))} has more pixels than an RLE can count")
    if not isinstance(rle.get("counts"), (str, bytes, list, tuple, array)):
        raise RLEError(index, "counts must be a string or a list of run lengths")
    return size


def _parse(encodings: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenated numbers of ``counts`` in any form, int32, and how many each holds, (N,) int64."""
    types = set(map(type, encodings))
    if types <= {str, bytes}:
        return parse_strings(encodings)
    if not types & {str, bytes}:
        return _parse_lists(encodings)
    # Mixed forms: parse each form by itself, then put the masks back in order.
    parts = [np.empty(0, dtype=np.int32)] * len(encodings)
    is_string = np.array([isinstance(one, (str, bytes)) for one in encodings])
    for parse, indices in (
        (parse_strings, np.flatnonzero(is_string).tolist()),
        (_parse_lists, np.flatnonzero(~is_string).tolist()),
    ):
        try:
            values, numbers = parse([encodings[i] for i in indices])
        except RLEError as error:
            raise RLEError(indices[error.index], error.reason) from None
        for i, part in zip(indices, np.split(values, np.cumsum(numbers)[:-1])):
            parts[i] = part
    return np.concatenate(parts), np.array([len(part) for part in parts], dtype=np.int64)


def _parse_lists(lists: Sequence[Sequence[Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenated numbers of lists of run lengths, int32, and how many each holds."""
    if set(map(type, chain.from_iterable(one for one in lists if not _is_packed(one)))) <= {int}:
        try:
            # Twice as fast as numpy.array.
            arrays: list[Any] = [one if _is_packed(one) else array("i", one) for one in lists]
        except OverflowError:
            pass
        else:
            values = np.frombuffer(b"".join(arrays), dtype=np.intc).astype(np.int32, copy=False)
            if -MAX_PIXELS < values.min(initial=0) <= values.max(initial=0) < MAX_PIXELS:
                return values, np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    for index, counts in enumerate(lists):
        if not all(type(count) is int for count in counts):
            raise RLEError(index, "counts must be a flat list of integers")
        if any(abs(count) >= MAX_PIXELS for count in counts):
            raise RLEError(index, "counts holds a number that is too large")
    raise AssertionError("unreachable: a refused list holds a bad number")


def _is_packed(counts: Sequence[Any]) -> bool:
    return type(counts) is array and counts.typecode == "i"


def _check_sums(runs: RunLengths) -> None:
    pixels = runs.sizes.prod(axis=1)
    wrong = np.diff(runs.offsets) == 0
    nonempty = np.flatnonzero(~wrong)
    if len(nonempty):
        totals = np.add.reduceat(runs.counts, runs.offsets[nonempty], dtype=runs.sum_type)
        wrong[nonempty] = totals != pixels[nonempty]
        if runs.counts.min() < 0:
            wrong[np.searchsorted(runs.offsets, np.flatnonzero(runs.counts < 0), side="right") - 1] = True
    if wrong.any():
        i = int(np.argmax(wrong))
        height, width = runs.sizes[i]
        raise RLEError(i, f"the runs of counts do not add up to {height} x {width} = {pixels[i]} pixels")
