"""Certain tracklets: detections that are one object by continuity alone, whatever they look like.

Detections of one tracklet are certainly one object, and those of tracklets that meet in a frame certainly several.
About other pairs nothing is known: an object that was hidden comes back as another tracklet.

Shapes: T frames of a video at its full rate, N_t detections in frame t.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .association import box_iou

# IoU from which neighboring frames' detections are one object, and up to which others may overlap either.
MIN_OVERLAP = 0.5
MAX_OTHER = 0.2
# Share of the detections, of lowest and of highest scores, that are taken for clutter and for objects; by how much
# these must last more often to be told apart; and the share of the way from clutter to objects from which detections
# are kept: F1 gains from one that is an object with a probability of at least half of F1 itself.
_TAIL = 0.1
_MIN_CONTRAST = 0.2
_KEPT = 1 / 3


def label_tracklets(boxes: Sequence[np.ndarray], min_length: int = 2) -> list[np.ndarray]:
    """Tracklet (N_t,) int64 of each frame's detections, numbered from 0, and -1 of what is in none.

    Args:
        boxes: (N_t, 4) XYXY boxes of each frame.
        min_length: Smallest number of frames of a tracklet.
    """
    labels: list[np.ndarray] = []
    number = 0
    for index, own in enumerate(boxes):
        label = np.full(len(own), -1, dtype=np.int64)
        if index:
            links = certain_links(box_iou(boxes[index - 1], own))
            label[links >= 0] = labels[-1][links[links >= 0]]
        new = np.flatnonzero(label < 0)
        label[new] = np.arange(number, number + len(new))
        number += len(new)
        labels.append(label)
    lengths = np.bincount(np.concatenate([*labels, np.zeros(0, np.int64)]), minlength=number)
    is_long = lengths >= min_length
    renumbered = np.where(is_long, np.cumsum(is_long) - 1, -1)
    return [renumbered[label] for label in labels]


def certain_links(overlaps: np.ndarray) -> np.ndarray:
    """Row (M,) int64 that each column continues without doubt, or -1.

    Args:
        overlaps: (N, M) IoU of the detections of the frame before and of a frame. A pair is linked if its IoU is at
            least ``MIN_OVERLAP``, and neither of both has one above ``MAX_OTHER`` with anything else.
    """
    links = np.full(overlaps.shape[1], -1, dtype=np.int64)
    near = overlaps > MAX_OTHER
    alone = near & (near.sum(axis=0) == 1) & (near.sum(axis=1) == 1)[:, None]
    rows, columns = np.nonzero(alone & (overlaps >= MIN_OVERLAP))
    links[columns] = rows
    return links


def meetings(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Mask (K, K) of the pairs of tracklets that meet in a frame, from the ``labels`` of :func:`label_tracklets`."""
    number = max((int(label.max(initial=-1)) for label in labels), default=-1) + 1
    met = np.zeros((number, number), dtype=bool)
    for label in labels:
        known = label[label >= 0]
        met[np.ix_(known, known)] = True
    np.fill_diagonal(met, False)
    return met


def lasting(boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Mask (N_t,) of each frame's detections that something overlaps by ``MIN_OVERLAP`` in both neighboring frames.

    The first and the last frame are left out: there are T - 2.
    """
    overlaps = [box_iou(before, after) for before, after in zip(boxes, boxes[1:])]
    return [
        (before.max(axis=0, initial=0) >= MIN_OVERLAP) & (after.max(axis=1, initial=0) >= MIN_OVERLAP)
        for before, after in zip(overlaps, overlaps[1:])
    ]


def score_of_objects(scores: np.ndarray, lasts: np.ndarray) -> float | None:
    """Score from which detections are worth tracking, since they last as objects do and clutter does not.

    Args:
        scores: (N,) scores of detections.
        lasts: (N,) mask of :func:`lasting`.

    Returns:
        Score that separates best those that last more often than a third of the way from the detections of lowest to
        those of highest scores; None if these hardly differ.
    """
    order = np.argsort(-scores, kind="stable")
    tail = max(1, round(_TAIL * len(order)))
    if len(order) < 2 * tail:
        return None
    objects, clutter = lasts[order[:tail]].mean(), lasts[order[-tail:]].mean()
    if objects - clutter < _MIN_CONTRAST:
        return None
    gain = np.cumsum(lasts[order] - (clutter + _KEPT * (objects - clutter)))
    return float(scores[order[int(gain.argmax())]])
