"""Tuning of the tracker's thresholds on a labeled data set of videos."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Instances
from pycocotools import mask as coco_mask
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError
from ictrack.structures.rle import encode_mask
from ictrack.tracking import plain_instances

from .settings_file import with_settings, write_settings
from .trainer import ICTrackTrainer

logger = logging.getLogger(__name__)

# `evaluator_type` of the data set -> metric -> (task, name of the score). Metrics of masks other than AP are
# class-agnostic.
METRICS = {
    "youtube_vis": {
        "AP": ("segm_video", "AP"),
        "HOTA": ("association_class_agnostic", "HOTA"),
        "IDF1": ("association_class_agnostic", "IDF1"),
    },
    "posetrack": {
        "AP": ("keypoints_video", "AP"),
        "MOTA": ("keypoints_tracking", "MOTA"),
        "HOTA": ("keypoints_tracking", "HOTA"),
        "IDF1": ("keypoints_tracking", "IDF1"),
    },
}
# Keys of every tracker.
_SHARED = {
    "TRACKER_HEADS.MIN_SCORE": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5),
    "TRACKER_HEADS.NEW_TRACK_SCORE": (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6),
}
_COSINES = (-0.2, 0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_NEW_OBJECT = {
    "cosine": _COSINES,
    "distance": (-2.0, -1.5, -1.0, -0.75, -0.5, -0.35, -0.2, -0.1),
    "distance_and_cosine": (-0.7, -0.5, -0.3, -0.1, 0.0, 0.1, 0.2, 0.3),
}
_SPATIAL = {
    "distance": {"TRACKER_HEADS.SPATIAL.MAX_DISTANCE": (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)},
    "iou": {"TRACKER_HEADS.SPATIAL.MIN_IOU": (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)},
    "oks": {"TRACKER_HEADS.SPATIAL.MIN_OKS": (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)},
}
_JOINTS = {"TEST.MIN_JOINT_SCORE": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)}
# Passes of coordinate descent over the keys.
_PASSES = 2


@dataclass(frozen=True)
class Tuning:
    """Result of :func:`tune_tracker`.

    Attributes:
        metric: Tuned metric.
        settings: Configuration key -> chosen value.
        before, after: Metric in percent with the configuration's own values and with the chosen ones.
        trials: Number of settings that were scored.
    """

    metric: str
    settings: dict[str, float]
    before: float
    after: float
    trials: int

    def write(self, path: Path, base: str = "") -> None:
        """Write the settings as a configuration file, with ``base`` as its base file unless empty."""
        write_settings(path, self.settings, base)

    def __str__(self) -> str:
        lines = [f"{key} {value}" for key, value in self.settings.items()]
        return "\n".join([*lines, f"{self.metric} {self.before:.2f} -> {self.after:.2f} ({self.trials} settings)"])


def tune_tracker(cfg: CfgNode, dataset_name: str, metric: str) -> Tuning:
    """Search the tracker's thresholds, kappa (``TRACKER_HEADS.EMBEDDING.SCALE``) and, of poses,
    ``TEST.MIN_JOINT_SCORE`` for the best ``metric``.

    The detector runs once over every frame. Then the keys are varied one after the other, twice, and the tracks are
    scored as by ``train_net.py --eval-only``. Ties go to the configuration's own value, then to the first candidate.

    Args:
        cfg: Configuration of the model, with ``MODEL.WEIGHTS``; its data sets are registered.
        dataset_name: Name of a labeled data set of videos.
        metric: "AP", "HOTA" or "IDF1" for masks; "AP", "MOTA", "HOTA" or "IDF1" for poses.

    Raises:
        CheckpointError: If there are no weights.
        ValueError: If the data set is unknown, has no videos or no labels, or lacks the metric.
    """
    if not cfg.MODEL.WEIGHTS:
        raise CheckpointError("no weights: give --weights, or MODEL.WEIGHTS in the configuration")
    task, name = METRICS[_kind(dataset_name)].get(metric, ("", ""))
    if not task:
        raise ValueError(f"{dataset_name} can be tuned for {', '.join(METRICS[_kind(dataset_name)])}, not for {metric}")
    _check_labels(dataset_name)
    cfg = cfg.clone()
    cfg.defrost()
    model = ICTrackTrainer.build_model(cfg)
    SafeCheckpointer(model, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS).load(cfg.MODEL.WEIGHTS)
    candidates = candidates_of(cfg, dataset_name)
    floor = min(candidates["TRACKER_HEADS.MIN_SCORE"] + (cfg.TRACKER_HEADS.MIN_SCORE,))
    frames = list(_detections(model.eval(), ICTrackTrainer.build_test_loader(cfg, dataset_name), floor))
    tried: dict[tuple[float, ...], float] = {}

    def score(settings: Mapping[str, float]) -> float:
        values = tuple(settings.values())
        if values not in tried:
            tried[values] = _score(cfg, dataset_name, frames, settings, task, name)
            logger.info("%s %.2f: %s", metric, tried[values], ", ".join(f"{k} {v}" for k, v in settings.items()))
        return tried[values]

    best = {key: _value(cfg, key) for key in candidates}
    before = score(best)
    for _ in range(_PASSES):
        for key, values in candidates.items():
            settings = [{**best, key: value} for value in (best[key], *values)]
            best = max(settings, key=score)
    return Tuning(metric, best, before, score(best), len(tried))


def candidates_of(cfg: CfgNode, dataset_name: str) -> dict[str, tuple[float, ...]]:
    """Tuned configuration key -> candidates besides the configuration's own value."""
    heads = cfg.TRACKER_HEADS
    keys: dict[str, tuple[float, ...]] = dict(_SHARED)
    if heads.TRACKER_NAME == "EmbeddingTracker":
        keys["TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE"] = _NEW_OBJECT[heads.EMBEDDING.SIMILARITY]
        keys["TRACKER_HEADS.EMBEDDING.SCALE"] = (3.0, 5.0, 10.0, 20.0, 30.0, 50.0)
        keys["TRACKER_HEADS.EMBEDDING.MATCH_THRESHOLD"] = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    elif heads.TRACKER_NAME == "SpatialTracker":
        keys.update(_SPATIAL[heads.SPATIAL.COST])
    else:
        raise ValueError(f"TRACKER_HEADS.TRACKER_NAME {heads.TRACKER_NAME} has no thresholds to tune")
    return {**keys, **_JOINTS} if _kind(dataset_name) == "posetrack" else keys


def _kind(dataset_name: str) -> str:
    if dataset_name not in DatasetCatalog:
        raise ValueError(f"{dataset_name} is not a registered data set")
    kind = MetadataCatalog.get(dataset_name).get("evaluator_type")
    if kind not in METRICS:
        raise ValueError(f"{dataset_name} has no videos that tracks can be scored on")
    return kind


def _check_labels(dataset_name: str) -> None:
    """Raise ValueError if no video has labels."""
    videos = DatasetCatalog.get(dataset_name)
    labeled = [video.get("has_annotations", "annotations" in video) for video in videos]
    if not any(labeled):
        raise ValueError(
            f"{dataset_name} has no labels to tune on; `ictrack prepare local-split` makes a set of YouTube-VIS"
        )


@torch.no_grad()
def _detections(
    model: nn.Module, loader: Iterable[list[dict[str, Any]]], min_score: float
) -> Iterator[tuple[dict[str, Any], Instances]]:
    """Record of each frame without the image, and its detections on the CPU, with run-length masks ("rles")."""
    for inputs in loader:
        for frame, output in zip(inputs, model(inputs)):
            instances = plain_instances(output["instances"])
            instances = instances[instances.scores >= min_score].to("cpu")
            kept = Instances(instances.image_size, **instances.get_fields())
            if kept.has("pred_masks"):
                kept.rles = [encode_mask(mask) for mask in kept.pred_masks.numpy()]
                kept.remove("pred_masks")
            yield {key: value for key, value in frame.items() if key != "image"}, kept


def _score(
    cfg: CfgNode,
    dataset_name: str,
    frames: Iterable[tuple[dict[str, Any], Instances]],
    settings: Mapping[str, float],
    task: str,
    name: str,
) -> float:
    """Score of the tracks with the given settings, in percent; NaN where there is nothing to measure."""
    trial = with_settings(cfg, settings)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        trial.OUTPUT_DIR = folder
        evaluator = ICTrackTrainer.build_evaluator(trial, dataset_name)
        evaluator.reset()
        for frame, instances in frames:
            evaluator.process([frame], [{"instances": _decoded(instances)}])
        return float(evaluator.evaluate()[task][name])


def _decoded(instances: Instances) -> Instances:
    result = Instances(instances.image_size, **instances.get_fields())
    if result.has("rles"):
        masks = np.zeros((0, *result.image_size), bool)
        if len(result):
            masks = np.ascontiguousarray(coco_mask.decode(result.rles).transpose(2, 0, 1)).astype(bool)
        result.pred_masks = torch.from_numpy(masks)
        result.remove("rles")
    return result


@contextmanager
def _quiet() -> Iterator[None]:
    """Context without logs, since every trial's evaluator would log its tables."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(previous)


def _value(cfg: CfgNode, key: str) -> float:
    node: Any = cfg
    for part in key.split("."):
        node = node[part]
    return float(node)
