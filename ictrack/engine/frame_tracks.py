"""Tracked Instances of a frame as arrays and encoded masks, without dense masks or tensors."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.structures import Instances

from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.rle import encode_mask


def to_frame_tracks(instances: Instances, index: int, *, file_name: str = "", time: float | None = None) -> FrameTracks:
    """Detections of one frame, independent of tensors.

    Args:
        instances: N detections at the frame's size, with ``scores``, ``pred_classes``, ``pred_boxes`` and, where there
            are any, ``ID``, ``pred_masks`` (N, H, W) bool and ``pred_keypoints`` (N, J, 3). Without any detection,
            fields may be missing.
        index: Frame index, 0-based.
        file_name: Name of the frame's picture, or the name that it would have.
        time: Seconds since the first frame.
    """
    num = len(instances)
    return FrameTracks(
        index,
        _float64(instances.scores) if num else np.zeros(0),
        _int64(instances.pred_classes) if num else np.zeros(0, dtype=np.int64),
        _float64(instances.pred_boxes.tensor) if num else np.zeros((0, 4)),
        _int64(instances.ID) if instances.has("ID") else None,
        [encode_mask(mask) for mask in instances.pred_masks.cpu().numpy()] if instances.has("pred_masks") else None,
        _float64(instances.pred_keypoints) if instances.has("pred_keypoints") else None,
        file_name,
        time,
    )


def _float64(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()


def _int64(tensor: torch.Tensor) -> np.ndarray:
    return tensor.cpu().numpy().astype(np.int64)
