"""Detections of a frame from arrays and from objects of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..frame_tracks import FrameTracks
from ..rle import encode_mask


def frame_of_arrays(
    index: int,
    boxes: Any,
    scores: Any = None,
    classes: Any = None,
    *,
    ids: Any = None,
    masks: Any = None,
    keypoints: Any = None,
) -> FrameTracks:
    """Detections of a frame from anything that NumPy takes for arrays.

    Args:
        index: Frame index, 0-based.
        boxes: (N, 4) XYXY in continuous pixels.
        scores: (N,); None: 1 for all.
        classes: (N,) contiguous classes; None: 0 for all.
        ids: (N,) identities, unique in the frame.
        masks: (N, H, W) bool or 0/1, of the frame's size.
        keypoints: (N, J, 3) x, y, score, or (N, J, 2).

    Raises:
        ValueError: shapes do not fit together, or a number is not finite.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    boxes = boxes.reshape(0, 4) if not boxes.size else boxes
    num = len(boxes)
    if keypoints is not None:
        keypoints = np.asarray(keypoints, dtype=np.float64)
        if keypoints.ndim == 3 and keypoints.shape[2] == 2:
            keypoints = np.concatenate([keypoints, np.ones((*keypoints.shape[:2], 1))], axis=2)
    return FrameTracks(
        index,
        np.ones(num) if scores is None else np.asarray(scores, dtype=np.float64).reshape(-1),
        np.zeros(num, dtype=np.int64) if classes is None else np.asarray(classes, dtype=np.int64).reshape(-1),
        boxes,
        None if ids is None else np.asarray(ids, dtype=np.int64).reshape(-1),
        None if masks is None else [encode_mask(mask) for mask in np.asarray(masks)],
        keypoints,
    )


def frame_of_supervision(index: int, detections: Any) -> FrameTracks:
    """Detections of a frame from ``supervision.Detections``, or any object with its ``xyxy``, and perhaps
    ``confidence``, ``class_id``, ``tracker_id`` and ``mask``. Raises ValueError as :func:`frame_of_arrays`."""
    return frame_of_arrays(
        index,
        detections.xyxy,
        getattr(detections, "confidence", None),
        getattr(detections, "class_id", None),
        ids=getattr(detections, "tracker_id", None),
        masks=getattr(detections, "mask", None),
    )
