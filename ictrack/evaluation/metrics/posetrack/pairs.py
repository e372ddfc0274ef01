"""Distances between annotated and predicted joints of a sequence, the input of PoseTrack's metrics.

Distances are in head sizes, 0.6 of the diagonal of the annotated head box, and a joint is found within half of one
(PCKh at 0.5): github.com/leonid-pishchulin/poseval, ``eval_helpers.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from ictrack.structures.pose_sequence import PoseSequence

HEAD_SIZE_OF_DIAGONAL = 0.6
MATCH_DISTANCE = 0.5  # head sizes, inclusive
# Relative error of a cross product of differences in float64, after J. R. Shewchuk, "Adaptive Precision Floating-Point
# Arithmetic and Fast Robust Geometric Predicates", 1997: (3 + 16 u) u with u = 2**-53.
_CROSS_PRODUCT_ERROR = (3 + 16 * 2.0**-53) * 2.0**-53


@dataclass(frozen=True)
class PosePairs:
    """Sequence without its ignored joints, and all pairs of an annotated and a predicted person in the same frame.

    Pairs are ordered by frame, annotated person, predicted person. G annotated people, P predicted ones, M pairs, F
    frames, 15 joints.

    Attributes:
        gt, pred: Sequences, with their frames in the same order.
        gt_present: (G, 15) mask of joints that are annotated and not ignored.
        pred_present: (P, 15) mask of joints that are predicted and not ignored.
        gt_count, pred_count: (F,) number of people, without people whose joints are all ignored.
        frame, gt_index, pred_index: (M,) frame and indices of the two people of each pair.
        distance: (M, 15) distances in head sizes; not finite if a joint is missing, or the head box has no size.
    """

    gt: PoseSequence
    pred: PoseSequence
    gt_present: np.ndarray
    pred_present: np.ndarray
    gt_count: np.ndarray
    pred_count: np.ndarray
    frame: np.ndarray
    gt_index: np.ndarray
    pred_index: np.ndarray
    distance: np.ndarray

    @cached_property
    def is_match(self) -> np.ndarray:
        """Mask (M, 15) of the joints that are found."""
        return self.distance <= MATCH_DISTANCE

    @cached_property
    def share_matched(self) -> np.ndarray:
        """Share (M,) of the annotated person's joints that are found; 0 if there are none."""
        num_joints = np.count_nonzero(self.gt_present, axis=1)
        return np.count_nonzero(self.is_match, axis=1) / np.maximum(num_joints, 1)[self.gt_index]


def pair_people(gt: PoseSequence, pred: PoseSequence) -> PosePairs:
    """Pairs of people in the same frame, without the joints in the frame's ignore regions."""
    gt_present, gt_count = _without_ignored(gt, gt)
    pred_present, pred_count = _without_ignored(pred, gt)
    frame, gt_index, pred_index = _pairs(gt, pred)
    dx, dy = np.moveaxis(gt.keypoints[gt_index] - pred.keypoints[pred_index], 2, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        head_sizes = HEAD_SIZE_OF_DIAGONAL * gt.head_diagonals
        distance = np.sqrt(dx * dx + dy * dy) / head_sizes[gt_index, None]
    distance[~(gt_present[gt_index] & pred_present[pred_index])] = np.inf
    return PosePairs(
        gt,
        pred,
        gt_present,
        pred_present,
        gt_count,
        pred_count,
        frame,
        gt_index,
        pred_index,
        distance,
    )


def _pairs(gt: PoseSequence, pred: PoseSequence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frame (M,), index of the annotated person (M,) and of the predicted person (M,) of each pair."""
    pred_per_frame = pred.people_per_frame()
    first_pred = np.cumsum(pred_per_frame) - pred_per_frame
    partners = pred_per_frame[gt.frames]
    gt_index = np.repeat(np.arange(gt.num_people), partners)
    within = np.arange(len(gt_index)) - np.repeat(np.cumsum(partners) - partners, partners)
    frame = gt.frames[gt_index]
    return frame, gt_index, first_pred[frame] + within


def _without_ignored(sequence: PoseSequence, gt: PoseSequence) -> tuple[np.ndarray, np.ndarray]:
    """Joints (P, 15) outside the ignore regions, and number of people (F,) who have such joints.

    People without joints still count in frames without regions: poseval drops them in frames with regions only.
    """
    present = sequence.present.copy()
    count = sequence.people_per_frame()
    last = np.cumsum(count)
    for frame, regions in enumerate(gt.ignore_regions):
        if not regions or count[frame] == 0:
            continue
        people = slice(last[frame] - count[frame], last[frame])
        points = sequence.keypoints[people].reshape(-1, 2)
        for region in regions:
            present[people] &= ~strictly_inside(points, region).reshape(present[people].shape)
        count[frame] = np.count_nonzero(present[people].any(axis=1))
    return present, count


def strictly_inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Mask (N,) of the points inside a polygon and on no edge, by the even-odd rule and without rounding errors.

    Args:
        points: (N, 2) x, y.
        polygon: (V, 2) x, y, closed from its last point to its first.
    """
    inside = np.zeros(len(points), dtype=bool)
    if len(polygon) == 0:
        return inside
    (x, y), (ax, ay) = points.T, polygon.T
    near = np.flatnonzero((x > ax.min()) & (x < ax.max()) & (y > ay.min()) & (y < ay.max()))
    if len(near) == 0:
        return inside
    x, y = x[near, None], y[near, None]  # (n, 1)
    bx, by = np.append(ax[1:], ax[0]), np.append(ay[1:], ay[0])  # (V,)
    side = _side(x, y, ax, ay, bx, by)
    is_on_edge = (
        (side == 0)
        & (np.minimum(ax, bx) <= x)
        & (x <= np.maximum(ax, bx))
        & (np.minimum(ay, by) <= y)
        & (y <= np.maximum(ay, by))
    )
    # A ray to the right crosses an edge that goes up with the point on its left, or down with the point on its right.
    crosses = ((ay > y) != (by > y)) & ((side > 0) == (by > ay))
    inside[near] = (np.count_nonzero(crosses, axis=1) % 2 == 1) & ~is_on_edge.any(axis=1)
    return inside


def _side(x: np.ndarray, y: np.ndarray, ax: np.ndarray, ay: np.ndarray, bx: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Sign (n, V) of the cross product of the edge a-b and a-point: 1 if the point is on the left with y upwards."""
    first, second = (bx - ax) * (y - ay), (by - ay) * (x - ax)
    cross = first - second
    side = np.sign(cross)
    is_unsure = np.abs(cross) <= _CROSS_PRODUCT_ERROR * (np.abs(first) + np.abs(second))
    for i, k in zip(*np.nonzero(is_unsure)):
        px, py, x0, y0, x1, y1 = (Fraction(v) for v in (x[i, 0], y[i, 0], ax[k], ay[k], bx[k], by[k]))
        exact = (x1 - x0) * (py - y0) - (y1 - y0) * (px - x0)
        side[i, k] = (exact > 0) - (exact < 0)
    return side
