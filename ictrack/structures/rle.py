"""Run-length encoded masks, many at a time, without a pixel in memory.

COCO's encoding (github.com/cocodataset/cocoapi, ``maskApi.c``): a mask of ``size`` [H, W] is read column by column as
runs of 0, 1, 0, 1, ... pixels. ``counts`` is the list of run lengths, or their compressed ASCII string: from the fourth
run on, the difference to the run two before; each number in groups of five bits, least significant first.

pycocotools decodes a string without looking at it and may hang or read beyond its end on a damaged one. Here every
encoding is checked before pycocotools sees it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .describe import describe

RLE = dict[str, Any]
"""``{"size": [H, W], "counts": str | bytes | list[int]}``."""

# A frame has fewer pixels than this, so that runs, and differences of two, fit in six groups of five bits and in int32.
MAX_PIXELS = 2**29
_MAX_GROUPS = 6
# Strings are parsed in blocks that fit in a processor's cache with all that is made of them.
_BLOCK_CHARACTERS = 2**18


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
        counts: (sum of the masks' numbers of runs,) int32.
        offsets: (N + 1,) int64; mask i's runs are ``counts[offsets[i]:offsets[i + 1]]``.
        sizes: (N, 2) int64, rows of (H, W).
    """

    counts: np.ndarray
    offsets: np.ndarray
    sizes: np.ndarray

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def sum_type(self) -> type:
        """An integer type that cannot overflow when a mask's runs are summed up, the faster one if possible."""
        largest = max(int(self.counts.max(initial=0)), -int(self.counts.min(initial=0)))
        return np.int32 if largest * int(np.diff(self.offsets).max(initial=0)) < 2**31 else np.int64

    def areas(self) -> np.ndarray:
        """Pixels of each mask, (N,) int64."""
        areas = np.zeros(len(self), dtype=np.int64)
        # The runs of ones are every second of a mask's: those of all masks at even, then those at odd positions.
        for parity in (0, 1):
            first = self.offsets[:-1] + 1
            masks = np.flatnonzero((first % 2 == parity) & (first < self.offsets[1:]))
            if len(masks):
                # Every second sum is of the runs between this mask's and the next one's.
                limits = np.stack([first[masks], self.offsets[masks + 1]]).T.ravel()
                chain = self.counts[parity::2]
                limits = (limits - parity + 1) // 2
                if limits[-1] == len(chain):
                    limits = limits[:-1]
                areas[masks] = np.add.reduceat(chain, limits, dtype=self.sum_type)[::2]
        return areas

    def columns(self) -> np.ndarray:
        """First and last column of each mask that has a pixel, (N, 2) int64; (0, -1) for a mask without any.

        Exact if no run but the first is empty, and else bounds.
        """
        heights, pixels = self.sizes[:, 0], self.sizes.prod(axis=1)
        numbers = np.diff(self.offsets)
        first = self.counts[self.offsets[:-1]]
        # An odd number of runs ends with zeros.
        behind = np.where(numbers % 2 == 1, self.counts[self.offsets[1:] - 1], 0)
        limits = np.stack([first // heights, (pixels - behind - 1) // heights], axis=1)
        limits[numbers < 2] = (0, -1)
        return limits


def decode_runs(rles: Sequence[RLE]) -> RunLengths:
    """Run lengths of ``rles``, checked.

    Raises:
        RLEError: an encoding without ``size`` [H, W] or ``counts``, with a character or a number that cannot be, or
            whose runs do not add up to H x W.
    """
    sizes = _sizes(rles)
    encodings = [rle["counts"] for rle in rles]
    if set(map(type, encodings)) <= {str, bytes}:
        counts, lengths = _parse_strings(encodings)
    elif set(map(type, encodings)) <= {list, tuple}:
        counts, lengths = _parse_lists(encodings, range(len(encodings)))
    else:
        # Mixed forms: parse each form by itself, then put the masks back in order.
        is_list = np.array([isinstance(one, (list, tuple)) for one in encodings], dtype=bool)
        parts = [np.empty(0, dtype=np.int32)] * len(rles)
        strings = np.flatnonzero(~is_list).tolist()
        try:
            flat, flat_lengths = _parse_strings([encodings[i] for i in strings])
        except RLEError as error:
            raise RLEError(strings[error.index], error.reason) from None
        for i, part in zip(strings, np.split(flat, np.cumsum(flat_lengths)[:-1])):
            parts[i] = part
        lists = np.flatnonzero(is_list).tolist()
        flat, flat_lengths = _parse_lists([encodings[i] for i in lists], lists)
        for i, part in zip(lists, np.split(flat, np.cumsum(flat_lengths)[:-1])):
            parts[i] = part
        counts = np.concatenate(parts)
        lengths = np.array([len(part) for part in parts], dtype=np.int64)
    runs = RunLengths(counts, _cumulative(lengths), sizes)
    _check_sums(runs)
    return runs


def encode_runs(counts: np.ndarray, lengths: np.ndarray) -> list[bytes]:
    """COCO's compressed strings of N masks' runs; the inverse of what :func:`decode_runs` reads.

    Args:
        counts: (sum of lengths,) integers, all masks' runs.
        lengths: (N,) numbers of runs.
    """
    if len(counts) == 0:
        return [b""] * len(lengths)
    offsets = _cumulative(lengths)
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


def has_empty_runs(runs: RunLengths) -> set[int]:
    """Indices of the masks that have a run of no pixels beyond the first, where zero ones before a mask are usual."""
    empty = np.flatnonzero(runs.counts == 0)
    masks = np.searchsorted(runs.offsets, empty, side="right") - 1
    return set(masks[empty > runs.offsets[masks]].tolist())


def merge_empty_runs(counts: np.ndarray) -> np.ndarray:
    """The runs of one mask, (R,), without runs of no pixels beyond the first."""
    edges = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    positions = remove_empty_runs(edges[1:-1])
    counts = np.diff(np.concatenate([[0], positions, edges[-1:]]))
    return counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts


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


def _sizes(rles: Sequence[Any]) -> np.ndarray:
    """(N, 2) sizes, checked, as are the types of ``counts``; all at once, one by one only to find what is wrong."""
    try:
        sizes = [rle["size"] for rle in rles]
        counts = [rle["counts"] for rle in rles]
        # A float or a bool equals an integer, so types are compared too.
        if (
            set(map(type, rles)) == {dict}
            and set(map(type, sizes)) <= {list, tuple}
            and set(map(type, chain.from_iterable(sizes))) == {int}
            and set(map(type, counts)) <= {str, bytes, list, tuple}
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
    if not isinstance(rle.get("counts"), (str, bytes, list, tuple)):
        raise RLEError(index, "counts must be a string or a list of run lengths")
    return size


def _parse_lists(lists: Sequence[Sequence[Any]], indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers in lists of run lengths, and how many each holds; ``indices`` are the masks', for errors."""
    flat = list(chain.from_iterable(lists))
    if set(map(type, flat)) <= {int}:
        try:
            # Half as long as numpy.array takes.
            values = np.frombuffer(array("i", flat), dtype=np.intc).astype(np.int32)
        except OverflowError:
            pass
        else:
            if -MAX_PIXELS < values.min(initial=0) <= values.max(initial=0) < MAX_PIXELS:
                return values, np.array([len(counts) for counts in lists], dtype=np.int64)
    for index, counts in zip(indices, lists):
        if not all(type(count) is int for count in counts):
            raise RLEError(index, "counts must be a flat list of integers")
        if any(abs(count) >= MAX_PIXELS for count in counts):
            raise RLEError(index, "counts holds a number that is too large")
    raise AssertionError("a list that is refused has a reason")


def _parse_strings(strings: Sequence[str | bytes]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers in COCO's compressed strings, and how many each string holds."""
    lengths = np.fromiter(map(len, strings), dtype=np.int64, count=len(strings))
    block = np.cumsum(lengths) // _BLOCK_CHARACTERS
    limits = [0, *(np.flatnonzero(np.diff(block)) + 1).tolist(), len(strings)]
    parts = []
    for start, end in zip(limits[:-1], limits[1:]):
        try:
            parts.append(_parse_block(strings[start:end], lengths[start:end]))
        except RLEError as error:
            raise RLEError(start + error.index, error.reason) from None
    return np.concatenate([values for values, _ in parts]), np.concatenate([numbers for _, numbers in parts])


def _parse_block(strings: Sequence[str | bytes], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    string_ends = np.cumsum(lengths)
    data = np.frombuffer(_join(strings), dtype=np.uint8)
    if len(data) == 0:
        return np.empty(0, dtype=np.int32), np.zeros(len(strings), dtype=np.int64)
    bits = data - np.uint8(48)  # wraps around below 48
    if bits.max() > 63:
        bad = int(np.argmax(bits > 63))
        owner = int(np.searchsorted(string_ends, bad, side="right"))
        raise RLEError(owner, f"counts holds a character that is not of the encoding: {chr(data[bad])!r}")
    is_last = bits < 0x20
    nonempty = np.flatnonzero(lengths)
    truncated = nonempty[~is_last[string_ends[nonempty] - 1]]
    if len(truncated):
        raise RLEError(int(truncated[0]), "counts ends in the middle of a number")

    ends = np.flatnonzero(is_last)
    limits = np.searchsorted(ends, string_ends - 1, side="right")  # numbers up to the end of each string
    # The last group holds the highest bits and the sign. Nearly all numbers have one group or two, so the one before is
    # looked up together with it, and with whether there are more.
    context = bits.astype(np.uint16)
    context[1:] |= bits[:-1].astype(np.uint16) << 6
    context[2:] |= (~is_last[1:-1] & ~is_last[:-2]).astype(np.uint16) << 12
    context = context[ends]
    high = (context & 0x1F).view(np.int16)
    low = context >> 6
    has_low = ((low >> 5) & 1).view(np.int16)
    values = (((high ^ 16) - 16) * (1 + 31 * has_low) + has_low * (low & 0x1F).view(np.int16)).astype(np.int32)
    longer = np.flatnonzero(context >> 12)
    for k in range(2, _MAX_GROUPS + 1):
        if len(longer) == 0:
            break
        if k == _MAX_GROUPS:
            owner = int(np.searchsorted(limits, longer[0], side="right"))
            raise RLEError(owner, "counts holds a number that is too large")
        position = ends[longer] - k
        values[longer] = (values[longer] << 5) | (bits[position] & 0x1F)
        more = position > 0
        more[more] = ~is_last[position[more] - 1]
        longer = longer[more]
    _undo_differences(values, np.concatenate([[0], limits]))
    return values, np.diff(limits, prepend=0)


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


def _undo_differences(values: np.ndarray, offsets: np.ndarray) -> None:
    """In place: from the fourth run of a mask on, a number is the difference to the one two before.

    So every second number of a mask forms a running sum, which begins anew at its second and at its third number. The
    numbers at even and at odd positions of all masks are summed up in one go each; where a sum begins anew, what has
    gathered before is taken off. As in pycocotools, numbers wrap around at 32 bits.
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
