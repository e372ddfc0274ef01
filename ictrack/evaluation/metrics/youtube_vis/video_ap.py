"""Average precision and recall of tracks: the metric of YouTube-VIS 2019, 2021, 2022 and OVIS.

The protocol ``"official"`` gives the scores of github.com/youtubevos/cocoapi (``ytvoseval.py``), its known bugs
included; ``"strict"`` fixes them:

=====================================  ===================================  =======================================
case                                   official                             strict
=====================================  ===================================  =======================================
result list shorter than the video     the missing frames are not scored    the missing frames hold no mask
ground truth with annotation id 0      its detection is a false positive    an id like any other
a mask of another size than the video  the frame is left out                an error
=====================================  ===================================  =======================================

In both, an empty list of results scores 0, and a damaged encoding, an unknown video or a score that is not finite is an
error (the official tool crashes, hangs, or does not notice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .matching import AREA_NAMES, AREA_RANGES, IOU_THRESHOLDS, MAX_DETECTIONS
from .precision_recall import RECALL_THRESHOLDS, RankedDetections

PROTOCOLS = ("official", "strict")


@dataclass(frozen=True)
class VideoAPResult:
    """Precision and recall over T thresholds, R recalls, K categories, A area ranges, M limits of detections.

    Values are NaN (-1 in the official tool) if a category has no ground truth in an area range.

    Attributes:
        categories: Pairs (id, name) of the K categories.
        precision: (T, R, K, A) precision at the highest limit.
        recall: (T, K, A, M) recall.
    """

    categories: tuple[tuple[int, str], ...]
    precision: np.ndarray
    recall: np.ndarray

    @classmethod
    def measure(
        cls,
        ranked: Sequence[RankedDetections],
        categories: Sequence[tuple[int, str]],
        weights: np.ndarray,
    ) -> VideoAPResult:
        """Precision and recall of each category's detections.

        Args:
            ranked: Detections of the K categories.
            categories: Pairs (id, name) of the K categories.
            weights: (V,) how often each video counts.
        """
        shape = (len(IOU_THRESHOLDS), len(RECALL_THRESHOLDS), len(categories), len(AREA_RANGES))
        precision, recall = np.empty(shape), np.empty((shape[0], *shape[2:], len(MAX_DETECTIONS)))
        for k, detections in enumerate(ranked):
            precision[:, :, k], recall[:, k] = detections.curves(weights)
        return cls(tuple(categories), precision, recall)

    def summary(self) -> dict[str, float]:
        """Official scores as fractions, NaN where nothing can be measured: AP, AP50, AP75, APs, APm, APl, AR1, AR10,
        AR100, ARs, ARm, ARl."""
        return self._summarize(slice(None))

    def per_category(self) -> dict[str, dict[str, float]]:
        """Scores of :meth:`summary` for each category, by name."""
        return {name: self._summarize(slice(k, k + 1)) for k, (_, name) in enumerate(self.categories)}

    def per_threshold(self) -> dict[str, list[float]]:
        """AP and AR100 at each IoU threshold."""
        return {
            "iou": IOU_THRESHOLDS.tolist(),
            "AP": [_mean(self.precision[t, :, :, 0]) for t in range(len(IOU_THRESHOLDS))],
            "AR100": [_mean(self.recall[t, :, 0, -1]) for t in range(len(IOU_THRESHOLDS))],
        }

    def _summarize(self, k: slice) -> dict[str, float]:
        precision, recall = self.precision[:, :, k], self.recall[:, k]
        return {
            "AP": _mean(precision[..., 0]),
            "AP50": _mean(precision[0, ..., 0]),
            "AP75": _mean(precision[5, ..., 0]),
            **{f"AP{AREA_NAMES[a][0]}": _mean(precision[..., a]) for a in (1, 2, 3)},
            **{f"AR{limit}": _mean(recall[..., 0, m]) for m, limit in enumerate(MAX_DETECTIONS)},
            **{f"AR{AREA_NAMES[a][0]}": _mean(recall[..., a, -1]) for a in (1, 2, 3)},
        }


def _mean(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN if there is none."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
