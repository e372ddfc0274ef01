"""Instances of a frame from arrays and encoded masks."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.structures import Boxes, Instances
from pycocotools import mask as mask_util

from ictrack.structures.frame_tracks import FrameTracks


def to_instances(frame: FrameTracks, size: tuple[int, int]) -> Instances:
    """Detections of a frame of ``size`` (H, W) on the CPU: ``scores``, ``pred_classes``, ``pred_boxes`` and, where
    there are any, ``ID``, ``pred_masks`` (N, H, W) bool and ``pred_keypoints`` (N, J, 3).

    Raises:
        ValueError: A mask is of another size.
    """
    instances = Instances(size)
    instances.scores = torch.from_numpy(frame.scores.astype(np.float32))
    instances.pred_classes = torch.from_numpy(frame.classes)
    instances.pred_boxes = Boxes(torch.from_numpy(frame.boxes.astype(np.float32)))
    if frame.ids is not None:
        instances.ID = torch.from_numpy(frame.ids)
    if frame.rles is not None:
        wrong = [tuple(rle["size"]) for rle in frame.rles if tuple(rle["size"]) != size]
        if wrong:
            raise ValueError(f"frame {frame.index}: a mask of {wrong[0]} pixels, the frame is {size}")
        masks = [mask_util.decode(rle).view(bool) for rle in frame.rles]
        instances.pred_masks = torch.from_numpy(np.stack(masks) if masks else np.zeros((0, *size), dtype=bool))
    if frame.keypoints is not None:
        instances.pred_keypoints = torch.from_numpy(frame.keypoints.astype(np.float32))
    return instances
