"""Boxes of files: checked, and written such that they are read back to the bit by corner and size."""

from __future__ import annotations

import numpy as np

from ..json_files import AnnotationError

# Decimals after which no digit of a coordinate of usual size is left.
_MAX_DECIMALS = 17


def to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) x, y, width, height of boxes XYXY, such that :func:`to_xyxy` gives the same ones to the bit.

    Of float64 coordinates of very different sizes, the far corner may differ in the last bit. Of all sizes that give
    the same corner, that of the fewest decimals is taken, which is mostly the one that a file began with.
    """
    near, far = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([near, offset_between(near, far)], axis=1)


def to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) XYXY of boxes x, y, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def offset_between(start: np.ndarray | float, end: np.ndarray) -> np.ndarray:
    """Offsets (...) with ``start + offset == end`` to the bit where there are any, of the fewest decimals."""
    offset = end - start
    for towards in (np.inf, -np.inf):  # the rounded difference may add up to a neighbor of the end
        closer = np.nextafter(offset, towards)
        offset = np.where((start + offset != end) & (start + closer == end), closer, offset)
    for decimals in range(_MAX_DECIMALS, -1, -1):
        rounded = np.round(offset, decimals)
        offset = np.where(start + rounded == end, rounded, offset)
    return offset


def check_corners(boxes: np.ndarray, where: str) -> None:
    """Raise AnnotationError, with the place, if a box of (N, 4) XYXY ends before it begins."""
    swapped = (boxes[:, 2:] < boxes[:, :2]).any(axis=1)
    if swapped.any():
        corners = ", ".join(f"{value:g}" for value in boxes[swapped][0])
        raise AnnotationError(f"{where}: a box has swapped corners, or a negative width or height: {corners}")


def unusable_boxes(boxes: np.ndarray, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """(N,) whether nothing of boxes (N, 4) XYXY is in a frame of the size (H, W), by what is wrong with them."""
    outside = (boxes[:, 2:] <= 0).any(axis=1) | (boxes[:, :2] >= size[::-1]).any(axis=1)
    empty = (boxes[:, 2:] == boxes[:, :2]).any(axis=1)
    return {"have no width or no height": empty, "lie outside the frames": outside & ~empty}
