"""Scores of a row: the same detections, associated by its feature, with thresholds tuned on other clips."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.config import CfgNode
from torch import Tensor

from experiments.association.masks import (
    DetectedClip,
    Method,
    appearance_method,
    gt_of,
    spatial_methods,
    track_clip,
    track_results,
    tracked_sequence,
    tune,
)
from ictrack.evaluation.metrics import AssociationCounts, count_sequence, evaluate_video_ap
from ictrack.modeling.embedding.video_embedding import fuse_embeddings

from .train_heads import set_feature

# Detection score thresholds tried in tuning, besides each method's own thresholds.
MIN_SCORES = (0.2, 0.3, 0.4)

Clips = Sequence[DetectedClip]


class Measurement:
    """Tuning and evaluation clips at all frame skips."""

    def __init__(
        self, cfg: CfgNode, tune_clips: Clips, val_clips: Clips, skips: Sequence[int], categories: list[dict[str, Any]]
    ) -> None:
        """
        Args:
            cfg: Configuration of the trackers.
            tune_clips, val_clips: Clips of every ``skips[0]``-th frame; their features are set as they are needed.
            skips: Ascending multiples of the first.
            categories: Categories of the ground truth.
        """
        self._cfg = cfg
        self._clips = {"tune": list(tune_clips), "val": list(val_clips)}
        self._categories = categories
        self._parts = {
            (split, skip): [clip.all_phases(skip // skips[0]) for clip in clips]
            for split, clips in self._clips.items()
            for skip in skips
        }
        self.skips = list(skips)

    def plain(self, name: str, pooled: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """Scores of a method without a head, as :meth:`rows` gives them.

        Args:
            name: Name in ``PLAIN_METHODS``.
            pooled: Split, "tune" or "val" -> (M, C) frozen features of all detections.
        """
        spatial = dict(zip(("spatial", "iou"), spatial_methods()))
        if name in spatial:
            return self._measure(spatial[name])
        if name == "mean_color":
            return self._measure(appearance_method(name, "color"))
        return self.rows(pooled)

    def rows(self, features: Mapping[str, Tensor]) -> list[dict[str, Any]]:
        """Scores of the embedding tracker.

        Args:
            features: Split, "tune" or "val" -> (M, D) embeddings of all detections.

        Returns:
            Scores at each frame skip: {"frame_skip", "video_ap" (class-agnostic), "idf1", "assa", "id_switches",
            "seconds" (CPU time of tuning and measuring), "counts" (the ``IDENTITY_COUNTS`` of each video)}.
        """
        for split, clips in self._clips.items():
            set_feature(clips, "row", features[split])
        return self._measure(appearance_method("row", "row"))

    def _measure(self, method: Method) -> list[dict[str, Any]]:
        return [self._measure_skip(method, skip) for skip in self.skips]

    def _measure_skip(self, method: Method, skip: int) -> dict[str, Any]:
        start = time.process_time()
        tuning = [part for parts in self._parts["tune", skip] for part in parts]
        (threshold, min_score), _ = tune(method, tuning, self._cfg, MIN_SCORES)
        tracker = method.tracker(self._cfg, threshold, min_score)
        results: list[dict[str, Any]] = []
        videos = self._parts["val", skip]
        counts = AssociationCounts(len(videos))
        for video, parts in enumerate(videos):
            for part in parts:
                tracked = track_clip(part, method.feature, tracker)
                results += track_results(part, tracked, self._categories)
                counts.add(video, count_sequence(tracked_sequence(part, tracked)))
        measured = [part for parts in videos for part in parts]
        gt = gt_of(measured, self._categories)
        scores = counts.scores()
        return {
            "frame_skip": skip,
            "video_ap": evaluate_video_ap(gt, results, class_agnostic=True).summary()["AP"],
            "idf1": scores["identity"]["IDF1"],
            "assa": scores["hota"]["AssA"],
            "id_switches": scores["clear"]["IDSW"],
            "seconds": time.process_time() - start,
            "threshold": threshold,
            "min_score": min_score,
            "counts": counts.by_video["identity"].tolist(),
        }


def fused(cfg: CfgNode, heads: Sequence[dict[str, Any]], split: str) -> Tensor:
    """Embeddings of one head, or of two fused as by :class:`VideoEmbedding`.

    Args:
        cfg: Configuration with ``MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT``.
        heads: Cached contents of the heads, see ``train_heads.head_content``.
        split: "tune" or "val".
    """
    if len(heads) == 1:
        return heads[0][split]
    image, video = (head[split] for head in heads)
    return fuse_embeddings(image, video, cfg.MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT)
