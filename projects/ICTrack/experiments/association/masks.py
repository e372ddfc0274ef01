"""Association methods compared on the same detections.

A detector runs once over every frame; all that the trackers need of a frame is kept in encoded form. Each method
then tracks those detections, with its thresholds tuned on one set of clips and measured on another.
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


@dataclass
class DetectedFrame:
    """The detections of one frame and how they overlap the ground truth.

    Attributes:
        detections: pred_boxes, scores, pred_classes and, of a detector with a grid, grid_cells of N detections; `row`
            numbers them.
        rles: N encoded masks.
        features: name -> (N, D) embeddings to compare.
        truth: (G,) positions in the annotation list of the clip, of the objects that are in this frame.
        similarity: (G, N) mask IoU.
    """

    detections: Instances
    rles: list[dict[str, Any]]
    features: dict[str, Tensor]
    truth: np.ndarray
    similarity: np.ndarray


@dataclass
class DetectedClip:
    """A clip with ground truth (entries of a YouTube-VIS file) and the detections of all its frames."""

    video: dict[str, Any]
    annotations: list[dict[str, Any]]
    frames: list[DetectedFrame]

    def every(self, skip: int, first: int = 0) -> DetectedClip:
        """The clip that keeps frames first, first + skip, first + 2 skip, ..., as a video with an id of its own."""
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
        """Every frame once, in ``skip`` sparse clips."""
        return [self.every(skip, first) for first in range(skip)]


@dataclass(frozen=True)
class Method:
    """A row of the comparison: which tracker, on which feature, and the threshold that is tuned.

    Attributes:
        name: as shown in tables.
        tracker_name: name in TRACKER_HEADS.
        threshold_key: configuration key (below TRACKER_HEADS) of the tuned threshold, with its candidates.
        feature: name of the feature in ``DetectedFrame.features``; None for a spatial method.
        settings: further configuration keys (below TRACKER_HEADS).
    """

    name: str
    tracker_name: str
    threshold_key: str
    candidates: tuple[float, ...]
    feature: str | None = None
    settings: tuple[tuple[str, Any], ...] = field(default=())

    def tracker(self, cfg: CfgNode, threshold: float, min_score: float) -> Any:
        """The method's tracker at a setting, for clips of any size; to be reset before each."""
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
    """The paper's spatial-distance baseline, and mask IoU."""
    return [
        spatial_method("spatial distance", "distance", "MAX_DISTANCE", (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)),
        spatial_method("mask IoU", "iou", "MIN_IOU", (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
    ]


def spatial_method(name: str, cost: str, threshold_key: str, candidates: tuple[float, ...]) -> Method:
    """The spatial tracker with a TRACKER_HEADS.SPATIAL.COST; what is tuned is a key beside it."""
    settings = (("SPATIAL.COST", cost), ("SPATIAL.SAME_CATEGORY", False))
    return Method(name, "SpatialTracker", f"SPATIAL.{threshold_key}", candidates, settings=settings)


def appearance_method(name: str, feature: str) -> Method:
    """The embedding tracker on a feature; what is tuned is the cosine from which on two objects may be the same."""
    candidates = (-0.2, 0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    return Method(name, "EmbeddingTracker", "EMBEDDING.NEW_OBJECT_COSINE", candidates, feature)


@torch.no_grad()
def detect_clips(
    model: nn.Module,
    bank: HeadBank,
    loader: Iterable[list[dict[str, Any]]],
    ground_truth: dict[str, Any],
    *,
    min_score: float,
    max_detections: int,
) -> list[DetectedClip]:
    """Run ``model``, whose embedding head is ``bank``, over a video test loader.

    Of each frame the ``max_detections`` best detections of at least ``min_score`` are kept: no tracker sees others.

    Returns:
        The clips of ``ground_truth`` (content of a YouTube-VIS file) that the loader yields. The features are those of
        the bank and "colour", the mean CIELAB colour inside the mask.
    """
    clips = {
        video["id"]: DetectedClip(video, [a for a in ground_truth["annotations"] if a["video_id"] == video["id"]], [])
        for video in ground_truth["videos"]
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
        truth = np.array([i for i, segmentation in enumerate(segmentations) if segmentation], dtype=np.int64)
        present = [segmentations[i] for i in truth]
        similarity = np.zeros((len(truth), len(rles)))
        if len(truth) and rles:
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
        features["colour"] = _mean_colour(inputs[0]["image"], masks)
        clip.frames.append(DetectedFrame(detections, rles, features, truth, similarity))
    return [clip for clip in clips.values() if clip.frames]


def track_clip(clip: DetectedClip, feature: str | None, tracker: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Track a clip by one of its features, or by masks where ``feature`` is None.

    Returns:
        Per frame: which detections (rows) were tracked, and their ids.
    """
    tracker.reset()
    tracked = []
    for frame in clip.frames:
        detections = Instances(frame.detections.image_size, **frame.detections.get_fields())
        if feature is None:
            size = frame.detections.image_size
            masks = coco_mask.decode(frame.rles) if frame.rles else np.zeros((*size, 0), np.uint8)
            detections.pred_masks = torch.from_numpy(np.ascontiguousarray(masks.transpose(2, 0, 1))).bool()
        else:
            detections.embeddings = frame.features[feature]
        result = current_detections(tracker.update(detections))
        tracked.append((result.row.numpy(), result.ID.numpy()))
    return tracked


def tracked_sequence(clip: DetectedClip, tracked: Sequence[tuple[np.ndarray, np.ndarray]]) -> TrackedSequence:
    """A tracked clip as metrics take it, all classes as one."""
    names = np.unique(np.concatenate([ids for _, ids in tracked])) if tracked else np.zeros(0, np.int64)
    present = np.unique(np.concatenate([frame.truth for frame in clip.frames]))
    return TrackedSequence(
        gt_ids=[np.searchsorted(present, frame.truth) for frame in clip.frames],
        pred_ids=[np.searchsorted(names, ids) for _, ids in tracked],
        similarity=[frame.similarity[:, rows] for frame, (rows, _) in zip(clip.frames, tracked)],
        num_gt=len(present),
        num_pred=len(names),
    )


def track_results(
    clip: DetectedClip, tracked: Sequence[tuple[np.ndarray, np.ndarray]], categories: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A tracked clip as entries of a YouTube-VIS results file.

    Args:
        categories: of the ground truth, in the order of the detector's classes.
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


def ground_truth_of(clips: Sequence[DetectedClip], categories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The content of a YouTube-VIS file with the clips' ground truth."""
    return {
        "videos": [clip.video for clip in clips],
        "annotations": [annotation for clip in clips for annotation in clip.annotations],
        "categories": list(categories),
    }


def idf1_of(sequences: Iterable[TrackedSequence]) -> float:
    """IDF1 of several sequences together, as a fraction."""
    counts = AssociationCounts(1, ("identity",))
    for sequence in sequences:
        counts.add(0, count_sequence(sequence, ("identity",)))
    return counts.scores()["identity"]["IDF1"]


def tune(
    method: Method, clips: Sequence[DetectedClip], cfg: CfgNode, min_scores: Sequence[float]
) -> tuple[float, float]:
    """The (threshold, smallest detection score) of highest IDF1 on ``clips``; every method tries equally many."""

    def idf1(setting: tuple[float, float]) -> float:
        tracker = method.tracker(cfg, *setting)
        return idf1_of(tracked_sequence(clip, track_clip(clip, method.feature, tracker)) for clip in clips)

    return max(itertools.product(method.candidates, min_scores), key=idf1)


def measure(
    method: Method,
    clips: Sequence[DetectedClip],
    cfg: CfgNode,
    setting: tuple[float, float],
    categories: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    """Video AP (per class and class-agnostic) and association scores of a method on clips, as fractions and counts.

    Args:
        setting: from :func:`tune`.
        categories: of the ground truth, in the order of the detector's classes.
    """
    tracker = method.tracker(cfg, *setting)
    results: list[dict[str, Any]] = []
    counts = AssociationCounts(len(clips), ("clear", "identity"))
    for position, clip in enumerate(clips):
        tracked = track_clip(clip, method.feature, tracker)
        results += track_results(clip, tracked, categories)
        counts.add(position, count_sequence(tracked_sequence(clip, tracked), ("clear", "identity")))
    ground_truth = ground_truth_of(clips, categories)
    per_class = evaluate_video_ap(ground_truth, results).summary()
    agnostic = evaluate_video_ap(ground_truth, results, class_agnostic=True).summary()
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


def _mean_colour(image: Tensor, masks: np.ndarray) -> Tensor:
    """(N, 3) mean CIELAB colour, centred on mid-grey so that its direction is the colour's.

    Args:
        image: (3, H, W) uint8, RGB.
        masks: (N, H, W) bool.
    """
    lab = cv2.cvtColor(np.ascontiguousarray(image.numpy().transpose(1, 2, 0)), cv2.COLOR_RGB2LAB)
    pixels = lab.reshape(-1, 3).astype(np.float32) - 128.0
    flat = masks.reshape(len(masks), len(pixels)).astype(np.float32)
    return torch.from_numpy(flat @ pixels / np.maximum(flat.sum(axis=1, keepdims=True), 1.0))
