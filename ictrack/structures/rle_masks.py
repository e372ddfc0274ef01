"""Run-length encoding of one mask, and removal of empty runs."""

from __future__ import annotations

import numpy as np

from .rle_strings import RLE, encode_runs


def encode_mask(mask: np.ndarray) -> RLE:
    """RLE of one mask (H, W), bool or 0/1, equal to ``pycocotools.mask.encode`` with ``counts`` as str.

    Only the tight box of the mask is read run by run, which makes it a few times faster.
    """
    if mask.ndim != 2:
        raise ValueError(f"a mask must have the shape (H, W), not {mask.shape}")
    return encode_part(np.asarray(mask, dtype=bool), 0, 0, (mask.shape[0], mask.shape[1]))


def encode_part(part: np.ndarray, top: int, left: int, size: tuple[int, int]) -> RLE:
    """RLE of a mask of ``size`` (H, W) that is empty but for a ``part`` (h, w) bool, at ``top`` and ``left``."""
    counts = _part_counts(part, top, left, size)
    return {"size": list(size), "counts": encode_runs(counts, np.array([len(counts)]))[0].decode("ascii")}


def remove_empty_runs(positions: np.ndarray) -> np.ndarray:
    """Ascending positions at which a mask switches between 0 and 1, without switches that cancel each other."""
    if len(positions) < 2:
        return positions
    first = np.flatnonzero(np.concatenate([[True], positions[1:] != positions[:-1]]))
    if len(first) == len(positions):
        return positions
    multiplicity = np.diff(np.append(first, len(positions)))
    return positions[first[multiplicity % 2 == 1]]


def merge_empty_runs(counts: np.ndarray) -> np.ndarray:
    """Runs (R,) of one mask without empty runs beyond the first."""
    edges = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    positions = remove_empty_runs(edges[1:-1])
    counts = np.diff(np.concatenate([[0], positions, edges[-1:]]))
    return counts[:-1] if len(counts) > 1 and counts[-1] == 0 else counts


def _part_counts(part: np.ndarray, top: int, left: int, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    rows = np.flatnonzero(part.any(axis=1))
    if len(rows) == 0:
        return np.array([height * width], dtype=np.int64)
    part = np.ascontiguousarray(part[rows[0] : rows[-1] + 1])
    # Runs are counted down the columns. Where they switch is found along the rows, as the mask lies in memory, and
    # sorted afterwards: there are few such places.
    row, column = np.divmod(np.flatnonzero(part[1:] != part[:-1]), part.shape[1])
    first, last = np.flatnonzero(part[0]), np.flatnonzero(part[-1])
    ends = np.concatenate([row + 1, np.zeros_like(first), np.full_like(last, len(part))])
    positions = (left + np.concatenate([column, first, last])) * height + top + rows[0] + ends
    # A run that ends at the bottom of a column and one that starts at the top of the next are one run.
    positions = remove_empty_runs(np.sort(positions))
    edges = np.concatenate([[0], positions, [height * width]])
    counts = np.diff(edges)
    return counts[:-1] if counts[-1] == 0 else counts
