"""Rules of :class:`.base_tracker.ArrayTracker` around an assignment: who chooses first, which tracks are in
reach, and which detections are far enough from others to start one.

Shapes: N detections, M tracks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .overlap import box_area, box_iou

# Function of scores (N, M) and new_scores (N,) that returns columns (N,); see :mod:`.assignment`.
Assign = Callable[[np.ndarray, np.ndarray], np.ndarray]


def assign_in_rounds(assign: Assign, scores: np.ndarray, new_scores: np.ndarray, is_first: np.ndarray) -> np.ndarray:
    """Track (N,) of each detection or -1: detections that are first choose among all tracks, the others among those
    that are left.

    Args:
        assign: Function of :mod:`.assignment`.
        scores, new_scores: (N, M) and (N,) arrays of :mod:`.association`.
        is_first: (N,) bool.
    """
    if is_first.all():
        return assign(scores, new_scores)
    tracks = np.full(len(scores), -1, dtype=np.int64)
    tracks[is_first] = assign(scores[is_first], new_scores[is_first])
    left = np.setdiff1d(np.arange(scores.shape[1]), tracks[is_first])
    if len(left):
        second = assign(scores[~is_first][:, left], new_scores[~is_first])
        tracks[~is_first] = np.where(second >= 0, left[second], -1)
    return tracks


def within_reach(boxes: np.ndarray, last_boxes: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Mask (N, M) of the tracks near enough to be continued.

    Args:
        boxes, last_boxes: (N, 4) and (M, 4) XYXY boxes.
        reach: (M,) largest distance of the centers, in square roots of the area of the track's box.
    """
    centers, last_centers = ((x[:, :2] + x[:, 2:]) / 2 for x in (boxes, last_boxes))
    distance = np.linalg.norm(centers[:, None] - last_centers, axis=2)
    return distance <= reach * np.sqrt(box_area(last_boxes))


def rows_apart(
    rows: np.ndarray, is_taken: np.ndarray, boxes: np.ndarray, scores: np.ndarray, max_overlap: float
) -> np.ndarray:
    """Those of ``rows`` that overlap with no taken detection, and with no better one of those returned.

    Args:
        rows: (K,) rows of detections, ascending.
        is_taken: (N,) bool, of no row in ``rows``.
        boxes: (N, 4) XYXY boxes.
        scores: (N,) detection scores; of equal ones the first is the better.
        max_overlap: Largest IoU that does not count as an overlap.
    """
    rows = rows[(box_iou(boxes[rows], boxes[is_taken]) <= max_overlap).all(axis=1)]
    by_score = rows[np.argsort(-scores[rows], kind="stable")]
    apart = box_iou(boxes[by_score], boxes[by_score]) <= max_overlap
    kept: list[int] = []
    for number in range(len(by_score)):
        if apart[number, kept].all():
            kept.append(number)
    return np.sort(by_score[kept])
