"""Comparison of association methods on the same detected masks.

The detector runs once over every frame, and its detections are kept in encoded form. Each method then tracks them, with
its thresholds tuned on one set of clips and evaluated on another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from pycocotools import mask as coco_mask
from torch import Tensor, nn

from ictrack.evaluation.metrics import AssociationCounts, TrackedSequence, count_sequence, evaluate_video_ap
from ictrack.structures.tracks import TrackRecorder, encode_mask
from ictrack.tracking import build_tracker, current_detections

from .head_bank import HeadBank

# (rows of the tracked detections, their track ids) of each frame.
Tracks = Sequence[tuple[np.ndarray, np.ndarray]]


@dataclass
class DetectedFrame:
    """Detections of one frame and their overlap with the ground truth.

    Attributes:
        detections: N detections with pred_boxes, scores, pred_classes, their number `row` and, from a detector with
            grids, grid_cells.
        rles: N run-length encoded masks.
        features: Name -> (N, D) embeddings.
        gt_index: (G,) int64 positions, in the clip's annotations, of the objects in this frame.
        similarity: (G, N) mask IoU of objects and detections.
    """

    detections: Instances
    rles: list[dict[str, Any]]
    features: dict[str, Tensor]
    gt_index: np.ndarray
    similarity: np.ndarray


@dataclass
class DetectedClip:
    """Clip with the detections of its frames; ``video`` and ``annotations`` are entries of a YouTube-VIS file."""

    video: dict[str, Any]
    annotations: list[dict[str, Any]]
    frames: list[DetectedFrame]

    def every(self, skip: int, first: int = 0) -> DetectedClip:
        """Clip of frames first, first + skip, first + 2 skip, ..., with a video id of its own."""
        kept = slice(first, None, skip)
        names = self.video["file_names"][kept]
        video = {**self.video, "id": skip * self.video["id"] + first, "file_names": names, "length": len(names)}
        annotations = [
            {
                **annotation,
                "id": skip * annotation["id"] + first,
                "video_id": video["id"],
                **{key: annotation[key][kept] for key in ("segmentations", "bboxes", "areas")},
            }
            for annotation in self.annotations
        ]
        return DetectedClip(video, annotations, self.frames[kept])

    def all_phases(self, skip: int) -> list[DetectedClip]:
        """``skip`` sparse clips that share out all frames."""
        return [self.every(skip, first) for first in range(skip)]


@dataclass(frozen=True)
class Method:
    """Association method: a tracker, the feature it compares and the threshold that is tuned.

    Attributes:
        name: Name shown in tables.
        tracker_name: Name in TRACKER_HEADS.
        threshold_key: Configuration key (below TRACKER_HEADS) of the tuned threshold.
        candidates: Values that tuning tries for it.
        feature: Name in ``DetectedFrame.features``; None for a spatial method.
        settings: Further (key below TRACKER_HEADS, value) pairs.
    """

    name: str
    tracker_name: str
    threshold_key: str
    candidates: tuple[float, ...]
    feature: str | None = None
    settings: tuple[tuple[str, Any], ...] = field(default=())

    def tracker(self, cfg: CfgNode, threshold: float, min_score: float) -> Any:
        """Tracker with the given thresholds, for clips of any size; reset it before each."""
        cfg = cfg.clone()
        cfg.defrost()
        heads = cfg.TRACKER_HEADS
        heads.TRACKER_NAME, heads.MIN_SCORE = self.tracker_name, min_score
        heads.NEW_TRACK_SCORE = min_score
        for key, value in (*self.settings, (self.threshold_key, threshold)):
            group, _, leaf = key.rpartition(".")
            setattr(heads[group] if group else heads, leaf, value)
        return build_tracker(cfg, 0, 0)


def spatial_methods() -> list[Method]:
    """Spatial-distance baseline of the paper, and mask IoU."""
    return [
        spatial_method("spatial distance", "distance", "MAX_DISTANCE", (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)),
        spatial_method("mask IoU", "iou", "MIN_IOU", (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
    ]


def spatial_method(name: str, cost: str, threshold_key: str, candidates: tuple[float, ...]) -> Method:
    """Spatial tracker with the given TRACKER_HEADS.SPATIAL.COST; ``threshold_key`` is a key below SPATIAL."""
    settings = (("SPATIAL.COST", cost), ("SPATIAL.SAME_CATEGORY", False))
    return Method(name, "SpatialTracker", f"SPATIAL.{threshold_key}", candidates, settings=settings)


def appearance_method(name: str, feature: str) -> Method:
    """Embedding tracker on a feature; the smallest cosine of a match is tuned."""
    candidates = (-0.2, 0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    return Method(name, "EmbeddingTracker", "EMBEDDING.NEW_OBJECT_COSINE", candidates, feature)


@torch.no_grad()
def detect_clips(
    model: nn.Module,
    bank: HeadBank,
    loader: Iterable[list[dict[str, Any]]],
    gt: dict[str, Any],
    *,
    min_score: float,
    max_detections: int,
) -> list[DetectedClip]:
    """Run a detector over a video test loader and keep its detections.

    Args:
        model: Detector whose embedding head is ``bank``.
        bank: Embedding heads.
        loader: Video test loader with batches of one frame.
        gt: Content of a YouTube-VIS file.
        min_score: Smallest score of the detections that are kept.
        max_detections: Number of best detections kept of each frame.

    Returns:
        Clips that the loader yields. Their features are those of the bank and "color", the mean CIELAB color inside
        the mask.
    """
    clips = {
        video["id"]: DetectedClip(video, [a for a in gt["annotations"] if a["video_id"] == video["id"]], [])
        for video in gt["videos"]
    }
    model.eval()
    for inputs in loader:
        clip = clips[inputs[0]["video_id"]]
        instances = model(inputs)[0]["instances"].to("cpu")
        best = instances.scores.argsort(descending=True)[:max_detections]
        instances = instances[best[instances.scores[best] >= min_score]]
        masks = instances.pred_masks.numpy()
        rles = [encode_mask(mask) for mask in masks]
        segmentations = [a["segmentations"][len(clip.frames)] for a in clip.annotations]
        gt_index = np.array([i for i, segmentation in enumerate(segmentations) if segmentation], dtype=np.int64)
        present = [segmentations[i] for i in gt_index]
        similarity = np.zeros((len(gt_index), len(rles)))
        if len(gt_index) and rles:
            similarity = np.asarray(coco_mask.iou(present, rles, [False] * len(rles)))
        detections = Instances(
            instances.image_size,
            pred_boxes=instances.pred_boxes,
            scores=instances.scores,
            pred_classes=instances.pred_classes,
            row=torch.arange(len(instances)),
            **({"grid_cells": instances.grid_cells} if instances.has("grid_cells") else {}),
        )
        features = bank.split(instances.embeddings)
        features["color"] = _mean_color(inputs[0]["image"], masks)
        clip.frames.append(DetectedFrame(detections, rles, features, gt_index, similarity))
    return [clip for clip in clips.values() if clip.frames]


def decode_masks(rles: Sequence[dict[str, Any]], size: tuple[int, int]) -> Tensor:
    """(N, H, W) bool masks of run lengths; ``size`` is (H, W)."""
    masks = coco_mask.decode(list(rles)) if rles else np.zeros((*size, 0), np.uint8)
    return torch.from_numpy(np.ascontiguousarray(masks.transpose(2, 0, 1))).bool()


def track_clip(clip: Any, feature: str | None, tracker: Any) -> Tracks:
    """Track a :class:`DetectedClip` or a ``PoseClip`` by a feature, or by masks or keypoints where ``feature`` is None.

    Returns:
        (rows, ids) of the tracked detections of each frame.
    """
    tracker.reset()
    tracked = []
    for frame in clip.frames:
        size = frame.detections.image_size
        detections = Instances(size, **frame.detections.get_fields())
        if feature is not None:
            detections.embeddings = frame.features[feature]
        elif isinstance(frame, DetectedFrame):
            detections.pred_masks = decode_masks(frame.rles, size)
        result = current_detections(tracker.update(detections))
        tracked.append((result.row.numpy(), result.ID.numpy()))
    return tracked


def tracked_sequence(clip: DetectedClip, tracked: Tracks) -> TrackedSequence:
    """Tracked clip as association metrics take it, class-agnostic."""
    pred = np.unique(np.concatenate([ids for _, ids in tracked])) if tracked else np.zeros(0, np.int64)
    present = np.unique(np.concatenate([frame.gt_index for frame in clip.frames]))
    return TrackedSequence(
        gt_ids=[np.searchsorted(present, frame.gt_index) for frame in clip.frames],
        pred_ids=[np.searchsorted(pred, ids) for _, ids in tracked],
        similarity=[frame.similarity[:, rows] for frame, (rows, _) in zip(clip.frames, tracked)],
        num_gt=len(present),
        num_pred=len(pred),
    )


def track_results(clip: DetectedClip, tracked: Tracks, categories: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tracked clip as entries of a YouTube-VIS results file.

    Args:
        clip: Detected clip.
        tracked: (rows, ids) of each frame, from :func:`track_clip`.
        categories: Categories of the ground truth, in the order of the detector's classes.
    """
    recorder = TrackRecorder()
    for index, (frame, (rows, ids)) in enumerate(zip(clip.frames, tracked)):
        recorder.add(
            index,
            ids.tolist(),
            frame.detections.scores[rows].tolist(),
            frame.detections.pred_classes[rows].tolist(),
            [frame.rles[row] for row in rows],
        )
    return list(recorder.results(clip.video["id"], len(clip.frames), [category["id"] for category in categories]))


def gt_of(clips: Sequence[DetectedClip], categories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Ground truth of the clips as the content of a YouTube-VIS file."""
    return {
        "videos": [clip.video for clip in clips],
        "annotations": [annotation for clip in clips for annotation in clip.annotations],
        "categories": list(categories),
    }


def idf1_of(sequences: Iterable[TrackedSequence]) -> float:
    """IDF1 over all sequences, as a fraction."""
    counts = AssociationCounts(1, ("identity",))
    for sequence in sequences:
        counts.add(0, count_sequence(sequence, ("identity",)))
    return counts.scores()["identity"]["IDF1"]


def tune(
    method: Method, clips: Sequence[DetectedClip], cfg: CfgNode, min_scores: Sequence[float]
) -> tuple[tuple[float, float], float]:
    """(threshold, smallest detection score) of highest IDF1 on ``clips``, and that IDF1 as a fraction."""

    def idf1(setting: tuple[float, float]) -> float:
        tracker = method.tracker(cfg, *setting)
        return idf1_of(tracked_sequence(clip, track_clip(clip, method.feature, tracker)) for clip in clips)

    scores = {setting: idf1(setting) for setting in itertools.product(method.candidates, min_scores)}
    best = max(scores, key=lambda setting: scores[setting])
    return best, scores[best]


def measure(
    method: Method,
    clips: Sequence[DetectedClip],
    cfg: CfgNode,
    setting: tuple[float, float],
    categories: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Video AP (per class and class-agnostic) and association scores of a method, as fractions and counts.

    Args:
        method: Association method.
        clips: Evaluation clips.
        cfg: Configuration of the tracker.
        setting: (threshold, smallest detection score) from :func:`tune`.
        categories: Categories of the ground truth, in the order of the detector's classes.
    """
    tracker = method.tracker(cfg, *setting)
    results: list[dict[str, Any]] = []
    counts = AssociationCounts(len(clips), ("clear", "identity"))
    for position, clip in enumerate(clips):
        tracked = track_clip(clip, method.feature, tracker)
        results += track_results(clip, tracked, categories)
        counts.add(position, count_sequence(tracked_sequence(clip, tracked), ("clear", "identity")))
    gt = gt_of(clips, categories)
    per_class = evaluate_video_ap(gt, results).summary()
    agnostic = evaluate_video_ap(gt, results, class_agnostic=True).summary()
    scores = counts.scores()
    return {
        "threshold": setting[0],
        "min_score": setting[1],
        "AP": per_class["AP"],
        "AP50": per_class["AP50"],
        "agnostic_AP": agnostic["AP"],
        "agnostic_AP50": agnostic["AP50"],
        "IDF1": scores["identity"]["IDF1"],
        "IDSW": scores["clear"]["IDSW"],
        "MOTA": scores["clear"]["MOTA"],
        "IDF1_per_clip": [counts.scores(one)["identity"]["IDF1"] for one in np.eye(len(clips))],
    }


def _mean_color(image: Tensor, masks: np.ndarray) -> Tensor:
    """(N, 3) mean CIELAB color inside each mask, relative to mid-gray, so that cosines compare hues.

    Args:
        image: (3, H, W) uint8 RGB image.
        masks: (N, H, W) bool masks.
    """
    lab = cv2.cvtColor(np.ascontiguousarray(image.numpy().transpose(1, 2, 0)), cv2.COLOR_RGB2LAB)
    pixels = lab.reshape(-1, 3).astype(np.float32) - 128.0
    flat = masks.reshape(len(masks), len(pixels)).astype(np.float32)
    return torch.from_numpy(flat @ pixels / np.maximum(flat.sum(axis=1, keepdims=True), 1.0))
