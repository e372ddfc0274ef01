"""Threshold of a tracker's similarity, by replays on certain tracklets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from detectron2.config import CfgNode

from ictrack.tracking import build_tracker
from ictrack.tracking.heads import MemoryTracker
from ictrack.tracking.replay import replay
from ictrack.tracking.separation import Clip, Separation

from .settings_file import with_settings

logger = logging.getLogger(__name__)

# Number of thresholds that are tried, and the percentage of the similarities of different objects, and of the same,
# that are beyond them.
_TRIED = 12
_TAIL = 5
NEW_OBJECT_COSINE = "TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE"
# Configuration key of a threshold and its value at a similarity, of embeddings and of the spatial tracker by its cost.
_Threshold = tuple[str, Callable[[float], float]]
_COSINE: _Threshold = (NEW_OBJECT_COSINE, float)
_SPATIAL: dict[str, _Threshold] = {
    "distance": ("TRACKER_HEADS.SPATIAL.MAX_DISTANCE", lambda similarity: max(-similarity, 0.01)),
    "iou": ("TRACKER_HEADS.SPATIAL.MIN_IOU", lambda similarity: max(similarity, 0.01)),
    "oks": ("TRACKER_HEADS.SPATIAL.MIN_OKS", lambda similarity: max(similarity, 0.01)),
}


def replayed_threshold(
    cfg: CfgNode, clips: Sequence[Clip], stride: int, similarities: Separation, share: float = 0.0
) -> dict[str, float]:
    """Configuration key of the tracker's threshold, and a value with which it agrees well with the tracklets.

    The tracklets do not tell apart the values whose agreement is no more than a standard error, over videos, below the
    best one.

    Args:
        cfg: Configuration with the tracker.
        clips: Clips at the videos' full rate.
        stride: Distance in frames at which they are tracked.
        similarities: Similarities by the tracker, the range of the threshold.
        share: Which of these values is chosen, from that which continues tracks most readily (0) to that which does so
            least (1).
    """
    is_spatial = cfg.TRACKER_HEADS.TRACKER_NAME == "SpatialTracker"
    key, value_at = _SPATIAL[cfg.TRACKER_HEADS.SPATIAL.COST] if is_spatial else _COSINE
    values = list(dict.fromkeys(round(value_at(x), 2) for x in _range(similarities).tolist()))
    scores = []
    for value in values:
        tracker = cast(MemoryTracker, build_tracker(with_settings(cfg, {key: value}), 0, 0))
        scores.append(np.array([replay(tracker, clip, stride) for clip in clips]))
        logger.info("%s %s: agreement %.2f %%", key, value, 100 * scores[-1][:, 0].sum() / scores[-1][:, 1].sum())
    best = max(scores, key=lambda score: score[:, 0].sum())
    good = [value for value, score in zip(values, scores) if not is_worse(score, best)]
    return {key: round(good[0] + share * (good[-1] - good[0]), 2)}


def is_worse(score: np.ndarray, best: np.ndarray) -> bool:
    """Whether agreements are more than a standard error of the difference, over videos, below the best ones.

    Args:
        score, best: (V, 2) agreement and number of detections of each video.
    """
    lost, total = best[:, 0] - score[:, 0], best[:, 1].sum()
    share = lost.sum() / total
    return bool(share > np.sqrt(np.square(lost - share * best[:, 1]).sum()) / total)


def _range(similarities: Separation) -> np.ndarray:
    different, same = (x[np.isfinite(x)] for x in (similarities.different, similarities.same))
    low = np.percentile(different, _TAIL) if len(different) else same.min()
    return np.linspace(low, np.percentile(same, 100 - _TAIL), _TRIED)
