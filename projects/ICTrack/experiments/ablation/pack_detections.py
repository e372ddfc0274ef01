"""Conversion of detected clips: to and from the cache's tensors and strings, and to pseudo-labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.structures import BitMasks, Boxes, BoxMode, Instances
from pycocotools import mask as coco_mask
from torch import Tensor

from experiments.association.masks import DetectedClip, DetectedFrame, decode_masks

# Smallest mask IoU at which a detection matches an object, as in IDF1.
MATCH_IOU = 0.5


def pack_clips(clips: Sequence[DetectedClip]) -> list[dict[str, Any]]:
    """Clips as :meth:`Cache.write` stores them; of their features only "color" is kept."""
    return [
        {
            "video_id": clip.video["id"],
            "frames": [
                {
                    "boxes": frame.detections.pred_boxes.tensor,
                    "scores": frame.detections.scores,
                    "classes": frame.detections.pred_classes,
                    "counts": [rle["counts"] for rle in frame.rles],
                    "color": frame.features["color"],
                    "gt_index": torch.from_numpy(frame.gt_index),
                    "similarity": torch.from_numpy(frame.similarity),
                }
                for frame in clip.frames
            ],
        }
        for clip in clips
    ]


def unpack_clips(packed: Sequence[dict[str, Any]], gt: dict[str, Any]) -> list[DetectedClip]:
    """Inverse of :func:`pack_clips`; ``gt`` is the annotation file's content that the clips were detected with."""
    videos = {video["id"]: video for video in gt["videos"]}
    clips = []
    for clip in packed:
        video = videos[clip["video_id"]]
        size = (video["height"], video["width"])
        annotations = [a for a in gt["annotations"] if a["video_id"] == video["id"]]
        clips.append(DetectedClip(video, annotations, [_unpack_frame(frame, size) for frame in clip["frames"]]))
    return clips


def _unpack_frame(frame: dict[str, Any], size: tuple[int, int]) -> DetectedFrame:
    detections = Instances(
        size,
        pred_boxes=Boxes(frame["boxes"]),
        scores=frame["scores"],
        pred_classes=frame["classes"],
        row=torch.arange(len(frame["scores"])),
    )
    rles = [{"size": list(size), "counts": counts} for counts in frame["counts"]]
    gt_index, similarity = frame["gt_index"].numpy(), frame["similarity"].numpy()
    return DetectedFrame(detections, rles, {"color": frame["color"]}, gt_index, similarity)


def true_identities(clips: Sequence[DetectedClip]) -> Tensor:
    """(M,) int64 annotation that each detection overlaps most; -1 below ``MATCH_IOU``."""
    identities: list[np.ndarray] = []
    for clip in clips:
        for frame in clip.frames:
            ids = np.full(len(frame.rles), -1)
            if frame.similarity.size:
                hit = frame.similarity.max(axis=0) >= MATCH_IOU
                ids[hit] = frame.gt_index[frame.similarity.argmax(axis=0)[hit]]
            identities.append(ids)
    return torch.from_numpy(np.concatenate(identities))


def predicted_instances(frame: DetectedFrame) -> Instances:
    """Detections of a frame as pseudo-labels: gt_masks, gt_boxes and gt_classes."""
    size = frame.detections.image_size
    return Instances(
        size,
        gt_masks=BitMasks(decode_masks(frame.rles, size)),
        gt_boxes=frame.detections.pred_boxes,
        gt_classes=frame.detections.pred_classes,
    )


def pseudo_labeled(clip: DetectedClip, image_root: str, stride: int, min_score: float) -> list[dict[str, Any]]:
    """Dataset dicts of every ``stride``-th frame of a clip, annotated with its detections of at least ``min_score``.
    Frames without any are left out."""
    records = []
    for index in range(0, len(clip.frames), stride):
        frame = clip.frames[index]
        rows = (frame.detections.scores >= min_score).nonzero().squeeze(1).tolist()
        annotations = [
            {
                "bbox": coco_mask.toBbox(frame.rles[row]).tolist(),
                "bbox_mode": BoxMode.XYWH_ABS,
                "category_id": int(frame.detections.pred_classes[row]),
                "iscrowd": 0,
                # Bytes, as pycocotools writes them and Detectron2 recognizes them.
                "segmentation": {"size": frame.rles[row]["size"], "counts": frame.rles[row]["counts"].encode()},
            }
            for row in rows
        ]
        if annotations:
            records.append(
                {
                    "file_name": f"{image_root}/{clip.video['file_names'][index]}",
                    "height": clip.video["height"],
                    "width": clip.video["width"],
                    "image_id": f"{clip.video['id']}:{index}",
                    "annotations": annotations,
                }
            )
    return records
