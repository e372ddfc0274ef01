"""Matching of detected tracks to ground truth for YouTube-VIS's average precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .track_masks import TrackMasks

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
# Limits of the tracks of a video and category, by descending score.
MAX_DETECTIONS = (1, 10, 100)
AREA_NAMES = ("all", "small", "medium", "large")
# Ranges, both ends included, of a track's mean pixels over its visible frames.
AREA_RANGES = np.array([(0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10)])


@dataclass(frozen=True)
class VideoMatches:
    """Matches of the D best detections of one video and category, for A area ranges and T IoU thresholds.

    Attributes:
        scores: (D,) scores, descending.
        matched: (A, T, D) mask of detections with a ground truth.
        ignored: (A, T, D) mask of detections that are neither right nor wrong.
        num_gt: (A,) number of tracks to be found.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_gt: np.ndarray


def match_tracks(
    iou: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    gt_areas: np.ndarray,
    crowd: np.ndarray,
    counts_as_match: np.ndarray,
) -> VideoMatches:
    """Greedy matching of D detections to G ground truths, for all area ranges and thresholds at once.

    Each detection takes the free ground truth of highest IoU that reaches the threshold, the later of equals, and one
    that is ignored (crowd, or outside the area range) only if no other fits. A crowd stays free.

    Args:
        iou: (D, G) IoU.
        scores: (D,) scores, descending.
        areas: (D,) mean areas; a detection without a match that lies outside the range is ignored.
        gt_areas: (G,) mean areas.
        crowd: (G,) mask of crowds.
        counts_as_match: (G,) mask; False where the official tool takes the annotation's id 0 for "no match".
    """
    num_detections, num_gt = iou.shape
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS))
    low, high = AREA_RANGES.T
    gt_ignored = crowd | (gt_areas < low[:, None]) | (gt_areas > high[:, None])  # (A, G)
    matched = np.zeros((*shape, num_detections), dtype=bool)
    ignored = np.zeros((*shape, num_detections), dtype=bool)
    free = np.ones((*shape, num_gt), dtype=bool)
    area_index, threshold_index = np.indices(shape)
    for d in np.flatnonzero(iou.max(axis=1, initial=0.0) >= IOU_THRESHOLDS[0]):
        fits = free & (iou[d] >= IOU_THRESHOLDS[:, None])  # (A, T, G)
        preferred = fits & ~gt_ignored[:, None, :]
        any_preferred = preferred.any(axis=2, keepdims=True)
        candidates = np.where(any_preferred, preferred, fits)
        best = num_gt - 1 - np.where(candidates, iou[d], -1.0)[..., ::-1].argmax(axis=2)  # (A, T)
        hit = candidates.any(axis=2)
        matched[..., d] = hit & counts_as_match[best]
        ignored[..., d] = hit & gt_ignored[area_index, best]
        taken = hit & ~crowd[best]
        free[area_index[taken], threshold_index[taken], best[taken]] = False
    outside = (areas < low[:, None]) | (areas > high[:, None])  # (A, D)
    ignored |= ~matched & outside[:, None, :]
    return VideoMatches(scores, matched, ignored, (~gt_ignored).sum(axis=1))


def annotated_areas(annotations: Iterable[Mapping[str, Any]], masks: TrackMasks) -> np.ndarray:
    """Mean areas (G,) from ``areas``, which need not agree with the masks, or from the masks if it is missing."""
    areas = masks.mean_areas()
    for i, annotation in enumerate(annotations):
        if annotation.get("areas") is not None:
            visible = [area for area in annotation["areas"] if area]
            areas[i] = np.array(visible).mean() if visible else 0.0
    return areas
