"""Precision and recall of ranked detections of one category, with a weight for each video.

The formulas are those of github.com/youtubevos/cocoapi (``ytvoseval.py``, ``accumulate``): the precision's envelope,
descending, is read off at fixed recalls. Weights resample videos: a video that is drawn twice has its ground truth and
its detections twice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .matching import AREA_RANGES, IOU_THRESHOLDS, MAX_DETECTIONS, VideoMatches

RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)


class RankedDetections:
    """Detections of one category in V videos, sorted once, for A area ranges, T IoU thresholds and M limits.

    Only right detections raise the recall, and precision is highest at them, so it is only computed there: at most at
    P positions for each of the A x T settings.
    """

    def __init__(self, matches: Sequence[VideoMatches], videos: Sequence[int], num_videos: int) -> None:
        """
        Args:
            matches: Matches of the videos with ground truth or detections, in the order of their pooling.
            videos: Positions of those videos among all.
            num_videos: V.
        """
        self._num_gt = np.zeros((num_videos, len(AREA_RANGES)))
        for video, match in zip(videos, matches):
            self._num_gt[video] = match.num_gt
        sizes = [len(match.scores) for match in matches]
        shape = (len(AREA_RANGES), len(IOU_THRESHOLDS), sum(sizes))
        matched, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        order = rank = np.zeros(0, dtype=np.int64)
        if matches:
            # Equal scores: the earlier video first, and in it the earlier detection.
            order = np.argsort(-np.concatenate([match.scores for match in matches]), kind="stable")
            rank = np.concatenate([np.arange(size) for size in sizes])[order]
            matched = np.concatenate([match.matched for match in matches], axis=2)[..., order]
            ignored = np.concatenate([match.ignored for match in matches], axis=2)[..., order]
        self._video = np.repeat(np.asarray(videos, dtype=np.int64), sizes)[order]  # (N,)
        self._right, self._is_right = _positions(matched & ~ignored)  # (A, T, P)
        within = rank[self._right] < np.reshape(MAX_DETECTIONS, (-1, 1, 1, 1))
        self._is_within = self._is_right & within  # (M, A, T, P)
        # Whether a detection is ignored hardly depends on the threshold; only the exceptions are kept for each.
        self._mostly_ignored = 2 * np.count_nonzero(ignored, axis=1) > shape[1]  # (A, N)
        is_exception = ignored != self._mostly_ignored[:, None]
        self._exception, exists = _positions(is_exception)  # (A, T, E)
        sign = np.where(self._mostly_ignored, -1, 1)[:, None]
        self._sign = np.take_along_axis(sign, self._exception, axis=2) * exists
        # How many exceptions there are up to each right detection, (A, T, P).
        self._num_exceptions = np.take_along_axis(np.cumsum(is_exception, axis=2), self._right, axis=2)

    def curves(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Precision at each of R recalls, (T, R, A), and the last recall, (T, A, M); NaN without ground truth.

        Args:
            weights: (V,) how often each video counts.
        """
        num_gt = weights @ self._num_gt  # (A,)
        precision = np.zeros((len(AREA_RANGES), len(IOU_THRESHOLDS), len(RECALL_THRESHOLDS)))
        recall = np.zeros((len(MAX_DETECTIONS), len(AREA_RANGES), len(IOU_THRESHOLDS)))
        if self._right.size and num_gt.any():
            weight = weights[self._video].astype(float)  # (N,)
            right = weight[self._right] * self._is_right
            true_positives = np.cumsum(right, axis=2)
            counted = np.cumsum(weight) - np.cumsum(weight * self._mostly_ignored, axis=1)  # (A, N)
            counted = np.take_along_axis(counted[:, None], self._right, axis=2) - self._exceptions_before(weight)
            raw = true_positives / (counted + np.spacing(1)) * self._is_right
            envelope = np.maximum.accumulate(raw[..., ::-1], axis=2)[..., ::-1]
            some = np.maximum(num_gt, 1)[:, None, None]
            # A right detection stands for the recalls above the previous one's, up to its own.
            reached = np.searchsorted(RECALL_THRESHOLDS, true_positives / some, side="right")
            repeats = np.diff(reached, axis=2, prepend=0, append=len(RECALL_THRESHOLDS))
            envelope = np.concatenate([envelope, np.zeros((*envelope.shape[:2], 1))], axis=2)
            precision = np.repeat(envelope.ravel(), repeats.ravel()).reshape(*envelope.shape[:2], -1)
            recall = (right * self._is_within).sum(axis=3) / some[..., 0]
        precision[num_gt == 0] = np.nan
        recall[:, num_gt == 0] = np.nan
        return precision.transpose(1, 2, 0), recall.transpose(2, 1, 0)

    def _exceptions_before(self, weight: np.ndarray) -> np.ndarray:
        """Weight (A, T, P) before each right detection that only its threshold ignores, less what only it does not."""
        running = np.zeros((*self._exception.shape[:2], self._exception.shape[2] + 1))
        np.cumsum(weight[self._exception] * self._sign, axis=2, out=running[..., 1:])
        return np.take_along_axis(running, self._num_exceptions, axis=2)


def _positions(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (A, T, P) along N at which a mask (A, T, N) is true, filled up with 0, and whether each is one."""
    counts = np.count_nonzero(mask, axis=2)
    exists = np.arange(counts.max(initial=0)) < counts[..., None]
    positions = np.zeros(exists.shape, dtype=np.int64)
    positions[exists] = np.nonzero(mask)[2]
    return positions, exists
