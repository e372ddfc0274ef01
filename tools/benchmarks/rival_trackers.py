"""Trackers side by side, all as a function of one frame's detections.

SORT, ByteTrack, OC-SORT and BoT-SORT are those of the package ``trackers`` (roboflow, Apache-2.0), if it is installed.
Their scores of a confident detection and of a new track are ours, and a track counts from its first frame on, as ours
does: with their defaults, made for scores of 0.6 and more, they would hardly start one.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Boxes, Instances

from ictrack.tracking import build_tracker, current_detections


@dataclass(frozen=True)
class Detections:
    """N detections of one frame: boxes (N, 4) XYXY in pixels, scores (N,), classes (N,), embeddings (N, D)."""

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    embeddings: np.ndarray


# Function of a frame's detections and its picture that returns identities (K,) and boxes (K, 4).
Update = Callable[[Detections, np.ndarray], tuple[np.ndarray, np.ndarray]]
# Function of (height, width) that makes the tracker of a clip.
MakeUpdate = Callable[[int, int], Update]

# Name -> options of TRACKER_HEADS that differ from the configuration.
OURS: dict[str, list[Any]] = {
    "default": [],
    "default, no motion limit": ["MAX_SPEED", 0.0],
    "default, new tracks anywhere": ["NEW_TRACK_MAX_OVERLAP", 1.0],
    "default, high scores first": ["HIGH_SCORE", 0.4],
    "default, no box overlap": ["POST_PROCESSING.ENABLED", False],
    "paper's form": [
        "EMBEDDING.ASSIGNMENT", "score_order", "EMBEDDING.MOMENTUM", 0.7, "EMBEDDING.SCALE", 10.0,
        "EMBEDDING.NEW_OBJECT_COSINE", 0.5, "EMBEDDING.MATCH_THRESHOLD", 0.5, "POST_PROCESSING.ENABLED", False,
        "MAX_SPEED", 0.0, "MAX_AGE", 0, "NEW_TRACK_MAX_OVERLAP", 1.0,
    ],
    "spatial distance": ["TRACKER_NAME", "SpatialTracker"],
    "box IoU": ["TRACKER_NAME", "SpatialTracker", "SPATIAL.COST", "iou"],
    "Detectron2 BBoxIOU": ["TRACKER_NAME", "BBoxIOUTracker"],
    "Detectron2 Hungarian IOU": ["TRACKER_NAME", "VanillaHungarianBBoxIOUTracker"],
    "Detectron2 IOU-weighted": ["TRACKER_NAME", "IOUWeightedHungarianBBoxIOUTracker"],
}  # fmt: skip
# Name -> class of the package trackers, and the names of its options for a confident score and a new track's.
_RIVALS = {
    "SORT": ("SORTTracker", (), ("track_activation_threshold",), {"minimum_consecutive_frames": 1}),
    "ByteTrack": (
        "ByteTrackTracker", ("high_conf_det_threshold",), ("track_activation_threshold",),
        {"minimum_consecutive_frames": 1},
    ),
    "OC-SORT": ("OCSORTTracker", ("high_conf_det_threshold",), (), {"minimum_consecutive_frames": 1}),
    "BoT-SORT": (
        "BoTSORTTracker", ("high_conf_det_threshold",), ("track_activation_threshold",),
        {"minimum_consecutive_frames": 1},
    ),
}  # fmt: skip


def all_trackers(cfg: CfgNode) -> dict[str, MakeUpdate]:
    """Every tracker by name, with the thresholds of ``cfg.TRACKER_HEADS``."""
    makers = {name: _ours(cfg, options) for name, options in OURS.items()}
    try:
        package: Any = importlib.import_module("trackers")
    except ImportError:
        return makers
    score = cfg.TRACKER_HEADS.NEW_TRACK_SCORE
    for name, (class_name, confident, new, fixed) in _RIVALS.items():
        options = {**dict.fromkeys((*confident, *new), score), **fixed}
        makers[name] = _rival(getattr(package, class_name), options, cfg.TRACKER_HEADS.MIN_SCORE)
    return makers


def _ours(cfg: CfgNode, options: Sequence[Any]) -> MakeUpdate:
    cfg = cfg.clone()
    cfg.defrost()
    names = [f"TRACKER_HEADS.{name}" for name in options[::2]]
    cfg.merge_from_list([item for pair in zip(names, options[1::2]) for item in pair])

    def make(height: int, width: int) -> Update:
        tracker = build_tracker(cfg, height, width)

        def update(found: Detections, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            instances = Instances((height, width))
            instances.pred_boxes = Boxes(torch.from_numpy(found.boxes))
            instances.scores = torch.from_numpy(found.scores).float()
            instances.pred_classes = torch.from_numpy(found.classes)
            instances.embeddings = torch.from_numpy(found.embeddings)
            tracked = current_detections(tracker.update(instances))
            return tracked.ID.numpy(), tracked.pred_boxes.tensor.numpy()

        return update

    return make


def _rival(tracker_class: Any, options: dict[str, Any], min_score: float) -> MakeUpdate:
    supervision: Any = importlib.import_module("supervision")

    def make(height: int, width: int) -> Update:
        tracker = tracker_class(**options)

        def update(found: Detections, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows = found.scores >= min_score
            given = supervision.Detections(
                xyxy=found.boxes[rows], confidence=found.scores[rows], class_id=found.classes[rows]
            )
            tracked = tracker.update(given, frame=image)
            if not len(tracked) or tracked.tracker_id is None:
                return np.zeros(0, dtype=np.int64), np.zeros((0, 4))
            confirmed = tracked.tracker_id >= 0
            return tracked.tracker_id[confirmed], tracked.xyxy[confirmed]

        return update

    return make
