"""Certain tracklets: detections that are one object by continuity alone, whatever they look like.

Detections of one tracklet are certainly one object, and those of tracklets that meet in a frame certainly several.
About other pairs nothing is known: an object that was hidden comes back as another tracklet.

Shapes: T frames of a video at its full rate, N_t detections in frame t.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .overlap import box_iou

# IoU from which neighboring frames' detections are one object, and up to which others may overlap either.
MIN_OVERLAP = 0.5
MAX_OTHER = 0.2
# Steps of the scores that are tried, and the share of certain detections by which a score may be worse than the best.
_SCORE_STEP = 0.02
_MISSED = 0.02


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


def most_certain_score(boxes: Sequence[Sequence[np.ndarray]], scores: Sequence[Sequence[np.ndarray]]) -> float:
    """Score from which detections are worth tracking, found without labels: that of the most certain detections.

    At a lower one, clutter and duplicates are in the way of certain tracklets; at a higher one, objects are missing.

    Args:
        boxes, scores: (N_t, 4) XYXY boxes and (N_t,) scores of each frame of each video.

    Returns:
        Middle of the scores at which almost as many detections are in tracklets as at the best one.
    """
    highest = max((float(frame.max(initial=0)) for video in scores for frame in video), default=0.0)
    tried = np.arange(0, highest, _SCORE_STEP)
    counts = [
        sum(
            int((label >= 0).sum())
            for video, of_video in zip(boxes, scores)
            for label in label_tracklets([box[score >= least] for box, score in zip(video, of_video)])
        )
        for least in tried
    ]
    good = tried[np.array(counts) >= (1 - _MISSED) * max(counts)] if counts else np.zeros(1)
    return float((good[0] + good[-1]) / 2)
