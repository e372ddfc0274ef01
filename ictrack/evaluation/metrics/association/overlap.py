"""Overlap of boxes, and the matching by which data sets decide what counts."""

from __future__ import annotations

import numpy as np

from .assignment import linear_sum_assignment

_EPS = np.finfo(float).eps
# Smallest IoU of a match, up to rounding.
_MIN_IOU = 0.5


def box_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (N, M) of boxes (N, 4) and (M, 4), x, y, w, h in pixels; 0 for a box without an area."""
    low_one, low_other = one[:, None, :2], other[None, :, :2]
    high_one, high_other = one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:]
    sides = np.maximum(np.minimum(high_one, high_other) - np.maximum(low_one, low_other), 0.0)
    intersection = sides[..., 0] * sides[..., 1]
    # From the corners, whose rounding the official numbers contain.
    areas_one, areas_other = np.prod(high_one - low_one, axis=2), np.prod(high_other - low_other, axis=2)
    union = areas_one + areas_other - intersection
    usable = (areas_one > _EPS) & (areas_other > _EPS) & (union > _EPS)
    return np.divide(intersection, union, out=np.zeros_like(union), where=usable)


def match(iou: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of pairs of IoU >= 0.5, one to one, with the highest sum of an IoU matrix (G, D)."""
    score = np.where(iou < _MIN_IOU - _EPS, 0.0, iou)
    rows, columns = linear_sum_assignment(score, maximize=True)
    matched = score[rows, columns] > _EPS
    return rows[matched], columns[matched]
