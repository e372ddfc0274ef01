"""One frame's detections or tracks as arrays with dense masks: what is drawn, and then encoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from .frame_tracks import FrameTracks


@dataclass(frozen=True)
class FrameArrays:
    """N detections of one frame.

    Attributes:
        scores: (N,) float64.
        classes: (N,) int64 contiguous classes.
        boxes: (N, 4) float64 XYXY in continuous pixels of the frame.
        ids: (N,) int64 identities; None for detections that were not tracked.
        masks: (N, H, W) bool of the frame's size; None for a detector without masks.
        keypoints: (N, J, 3) float64 x, y in continuous pixels and the score of each joint; None without poses.
    """

    scores: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    ids: np.ndarray | None = None
    masks: np.ndarray | None = None
    keypoints: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, detections: Any) -> FrameArrays:
        """Arrays of what a tracker gives.

        Args:
            detections: Detectron2's Instances on any device, with ``pred_boxes``, ``scores`` (1 without them),
                ``pred_classes`` (0 without them) and, where there are any, ``ID``, ``pred_masks`` (N, H, W) bool and
                ``pred_keypoints`` (N, J, 3). FrameArrays and FrameTracks are taken, too.
        """
        if isinstance(detections, cls):
            return detections
        if isinstance(detections, FrameTracks):
            return cls._of_tracks(detections)
        num = len(detections)
        return cls(
            _float64(detections.scores) if detections.has("scores") else np.ones(num),
            _int64(detections.pred_classes) if detections.has("pred_classes") else np.zeros(num, dtype=np.int64),
            _float64(detections.pred_boxes.tensor) if num else np.zeros((0, 4)),
            _int64(detections.ID) if detections.has("ID") else None,
            detections.pred_masks.cpu().numpy() if detections.has("pred_masks") else None,
            _float64(detections.pred_keypoints) if detections.has("pred_keypoints") else None,
        )

    @classmethod
    def _of_tracks(cls, tracks: FrameTracks) -> FrameArrays:
        masks = None
        if tracks.rles is not None:
            decoded = [mask_util.decode(rle).view(bool) for rle in tracks.rles]
            masks = np.stack(decoded) if decoded else np.zeros((0, 0, 0), dtype=bool)
        return cls(tracks.scores, tracks.classes, tracks.boxes, tracks.ids, masks, tracks.keypoints)


def _float64(tensor: Any) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _int64(tensor: Any) -> np.ndarray:
    return tensor.cpu().numpy().astype(np.int64)
