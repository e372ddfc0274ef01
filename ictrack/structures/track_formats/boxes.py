"""Boxes by their corners, and by corner and size, without loss."""

from __future__ import annotations

import numpy as np


def to_xywh(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) x, y, width, height of boxes XYXY, such that :func:`to_xyxy` gives the same ones to the bit.

    Of float64 coordinates of very different sizes, the far corner may differ in the last bit.
    """
    near, far = boxes[:, :2], boxes[:, 2:]
    size = far - near
    for towards in (np.inf, -np.inf):  # the rounded difference may add up to a neighbor of the far corner
        closer = np.nextafter(size, towards)
        size = np.where((near + size != far) & (near + closer == far), closer, size)
    return np.concatenate([near, size], axis=1)


def to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """Boxes (N, 4) XYXY of boxes x, y, width, height."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
