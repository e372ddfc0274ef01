"""Clips with ground truth, and a detector's boxes in them with embeddings."""

from __future__ import annotations

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
from ictrack.modeling.embedding import PooledFeatures, pad_instances
from ictrack.modeling.feature_backbone import FeatureBackbone
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.track_formats import format_of
from ictrack.structures.youtube_vis_json import read_ground_truth, video_name

from .rival_trackers import Detections

# IoU with a better box of any class above which a detection is left out, before all trackers.
_SUPPRESSION = 0.6


@dataclass(frozen=True)
class Clip:
    """Frames of a clip: pictures' paths, detections, and ground truth as identities (G,) and boxes (G, 4)."""

    name: str
    size: tuple[int, int]
    paths: list[Path]
    detections: list[Detections]
    gt: list[tuple[np.ndarray, np.ndarray]]


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
