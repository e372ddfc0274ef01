"""Trackers side by side on identical detections of clips with ground truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import transforms as T
from detectron2.structures import Boxes, Instances
from pycocotools import mask as mask_util
from torchvision.ops import nms

from ictrack.data.image_file import ImageFile
from ictrack.engine.setup import load_config
from ictrack.evaluation.metrics.association.counts import AssociationCounts, count_sequence
from ictrack.evaluation.metrics.association.tracked_sequence import TrackedSequence
from ictrack.evaluation.metrics.bootstrap import bootstrap_intervals, paired_bootstrap
from ictrack.evaluation.reports.tables import format_percent, format_table
from ictrack.model_zoo import get_config_file
from ictrack.modeling.embedding import PooledFeatures, pad_instances
from ictrack.modeling.feature_backbone import FeatureBackbone
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.track_formats import format_of
from ictrack.structures.youtube_vis_json import read_ground_truth, video_name
from ictrack.tracking.association import box_iou

from .rival_trackers import Detections, MakeUpdate, all_trackers

# IoU with a better box of any class above which a detection is left out, before all trackers.
_SUPPRESSION = 0.6
_SCORES = ("hota.HOTA", "hota.AssA", "identity.IDF1")


@dataclass(frozen=True)
class Clip:
    """Frames of a clip: pictures' paths, detections, and ground truth as identities (G,) and boxes (G, 4)."""

    name: str
    size: tuple[int, int]
    paths: list[Path]
    detections: list[Detections]
    gt: list[tuple[np.ndarray, np.ndarray]]


def benchmark_tracking(
    *, data: str, detections: str, detector: str, steps: Sequence[int], bootstrap: int, opts: Sequence[str]
) -> dict[str, Any]:
    """Scores of each tracker, on every k-th frame.

    Args:
        data: Folder with ``instances.json`` (YouTube-VIS) and ``JPEGImages``.
        detections: Folder with ``CLIP.DETECTOR.json`` or ``.json.gz``, COCO annotations with scores.
        detector: Middle part of those names.
        steps: Values of k.
        bootstrap: Number of draws of clips for the intervals; 0: none.
        opts: KEY VALUE pairs of the configuration.
    """
    cfg = load_config(str(get_config_file("boxes")), ["MODEL.DEVICE", "cpu", *opts])
    clips = read_clips(cfg, Path(data), Path(detections), detector)
    makers = all_trackers(cfg)
    results: dict[str, Any] = {}
    for step in steps:
        counts, speeds = {}, {}
        for name, make in makers.items():
            counts[name], speeds[name] = _track_clips(make, clips, step)
        results[str(step)] = {
            name: _scores(counts[name], counts["default"], speeds[name], len(clips), bootstrap) for name in makers
        }
    return {"clips": [clip.name for clip in clips], "detector": detector, "every": results}


def read_clips(cfg: CfgNode, data: Path, detections: Path, detector: str) -> list[Clip]:
    """Clips of the ground truth that the detector has a file of; their detections with embeddings.

    Raises:
        AnnotationError: a file is malformed, or no clip has detections.
    """
    features = FeatureBackbone.from_config(cfg)
    assert features is not None
    head, resize = PooledFeatures(cfg, features.backbone.output_shape()), _resize(cfg)
    truth = read_ground_truth(data / "instances.json")
    clips = []
    for video in truth["videos"]:
        name = video_name(video)
        files = sorted(detections.glob(f"{name}.{detector}.json*"))
        if not files:
            continue
        (found,) = format_of(files[0], "coco").read(files[0])
        by_index = {frame.index: frame for frame in found.frames}
        paths = [data / "JPEGImages" / file for file in video["file_names"]]
        frames = []
        for index, path in enumerate(paths):
            frame = by_index.get(index)
            boxes = np.zeros((0, 4)) if frame is None else frame.boxes
            scores = np.zeros(0) if frame is None else frame.scores
            classes = np.zeros(0, dtype=np.int64) if frame is None else frame.classes
            kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), _SUPPRESSION).numpy()
            embeddings = _embed(features.eval(), head, resize, path, boxes[kept])
            frames.append(Detections(boxes[kept].astype(np.float32), scores[kept], classes[kept], embeddings))
        annotations = [entry for entry in truth["annotations"] if entry["video_id"] == video["id"]]
        clips.append(
            Clip(name, (video["height"], video["width"]), paths, frames, _ground_truth(annotations, len(paths)))
        )
    if not clips:
        raise AnnotationError(f"{detections}: has no file CLIP.{detector}.json of a clip in {data}")
    return clips


def _resize(cfg: CfgNode) -> T.Augmentation:
    return T.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)


@torch.no_grad()
def _embed(
    features: FeatureBackbone, head: PooledFeatures, resize: T.Augmentation, path: Path, boxes: np.ndarray
) -> np.ndarray:
    """Embeddings (N, D) of boxes (N, 4), as :class:`EmbeddedDetector` reads them."""
    with ImageFile(path) as file:
        image = file.read()
    resized = resize.get_transform(image).apply_image(image)
    maps, padded_size = features([torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))])
    instances = Instances(image.shape[:2], pred_boxes=Boxes(torch.from_numpy(boxes).float()))
    (embeddings,) = head.embed(maps, [pad_instances(instances, padded_size, resized.shape[:2])], padded_size)
    return embeddings.numpy()


def _ground_truth(annotations: Sequence[dict[str, Any]], length: int) -> list[tuple[np.ndarray, np.ndarray]]:
    frames = []
    for index in range(length):
        seen = [(track, entry["segmentations"][index]) for track, entry in enumerate(annotations)]
        rles = [(track, rle) for track, rle in seen if rle is not None and mask_util.area(rle)]
        boxes = np.array([mask_util.toBbox(rle) for _, rle in rles]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        frames.append((np.array([track for track, _ in rles], dtype=np.int64), boxes))
    return frames


def _track_clips(make: MakeUpdate, clips: Sequence[Clip], step: int) -> tuple[AssociationCounts, float]:
    """Counts by clip, and updates a second."""
    counts, seconds, updates = AssociationCounts(len(clips)), 0.0, 0
    for number, clip in enumerate(clips):
        update, tracked = make(*clip.size), []
        for path, found in zip(clip.paths[::step], clip.detections[::step]):
            with ImageFile(path) as file:
                image = file.read()
            start = time.perf_counter()
            tracked.append(update(found, image))
            seconds += time.perf_counter() - start
            updates += 1
        counts.add(number, count_sequence(_sequence(clip.gt[::step], tracked)))
    return counts, updates / max(seconds, 1e-9)


def _sequence(
    gt: Sequence[tuple[np.ndarray, np.ndarray]], pred: Sequence[tuple[np.ndarray, np.ndarray]]
) -> TrackedSequence:
    def renumbered(frames: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[list[np.ndarray], int]:
        numbers: dict[int, int] = {}
        ids = [np.array([numbers.setdefault(i, len(numbers)) for i in x.tolist()], np.int64) for x, _ in frames]
        return ids, len(numbers)

    (gt_ids, num_gt), (pred_ids, num_pred) = renumbered(gt), renumbered(pred)
    similarity = [np.clip(box_iou(a.astype(float), b.astype(float)), 0, 1) for (_, a), (_, b) in zip(gt, pred)]
    return TrackedSequence(gt_ids, pred_ids, similarity, num_gt, num_pred)


def _scores(
    counts: AssociationCounts, default: AssociationCounts, speed: float, num_clips: int, draws: int
) -> dict[str, Any]:
    scores: dict[str, Any] = {**counts.scores(), "updates_per_second": speed}
    if draws:
        scores["intervals"] = bootstrap_intervals(counts.resample, num_clips, num_samples=draws)
        scores["below_default"] = paired_bootstrap(default.resample, counts.resample, num_clips, num_samples=draws)
    return scores


def tracking_table(result: dict[str, Any]) -> str:
    """Table for each k, best IDF1 first."""
    tables = []
    for step, trackers in result["every"].items():
        rows = []
        for name, scores in sorted(trackers.items(), key=lambda item: -item[1]["identity"]["IDF1"]):
            intervals = scores.get("intervals", {})
            row = [name]
            for key in _SCORES:
                metric, _, score = key.partition(".")
                row.append(format_percent(scores[metric][score], intervals.get(key)))
            rows.append([*row, f"{scores['clear']['IDSW']:.0f}", f"{scores['updates_per_second']:.0f}"])
        headers = [f"every {step}", "HOTA", "AssA", "IDF1", "id switches", "updates/s"]
        tables.append(format_table(headers, rows))
    return "\n\n".join(tables)
