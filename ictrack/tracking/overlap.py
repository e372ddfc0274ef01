"""Overlap and distance of N detections and M tracks in the picture, as pure functions. All arrays are NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as coco_mask


def box_iou(detections: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """IoU (N, M) of XYXY boxes (N, 4) and (M, 4); 0 where the union has no area."""
    inner = (np.maximum, np.maximum, np.minimum, np.minimum)
    x1, y1, x2, y2 = (pick(detections[:, None, side], tracks[:, side]) for side, pick in enumerate(inner))
    intersection = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    union = box_area(detections)[:, None] + box_area(tracks) - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def box_area(boxes: np.ndarray) -> np.ndarray:
    """Areas (N,) of XYXY boxes (N, 4); 0 for an inverted box."""
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)


def mask_iou(detections: Sequence[dict], tracks: Sequence[dict]) -> np.ndarray:
    """IoU (N, M) of COCO run-length encodings, N and M at least 1; 0 between frames of different size."""
    return np.maximum(coco_mask.iou(list(detections), list(tracks), [0] * len(tracks)), 0)


def point_distance(
    detections: np.ndarray, detections_valid: np.ndarray, tracks: np.ndarray, tracks_valid: np.ndarray
) -> np.ndarray:
    """Mean Euclidean distance (N, M) over the points that are valid on both sides; infinite if there are none.

    Args:
        detections, tracks: (N, P, D) and (M, P, D): a center (P = 1) or joints in pixels (D = 2), or embeddings.
        detections_valid, tracks_valid: (N, P) and (M, P) masks of valid points.
    """
    distances = np.linalg.norm(detections[:, None] - tracks, axis=3)  # (N, M, P)
    valid = detections_valid[:, None] & tracks_valid
    count = valid.sum(axis=2)
    total = np.where(valid, distances, 0).sum(axis=2)
    return np.divide(total, count, out=np.full(total.shape, np.inf, total.dtype), where=count > 0)


def pose_oks(
    detections: np.ndarray,
    detections_valid: np.ndarray,
    tracks: np.ndarray,
    tracks_valid: np.ndarray,
    track_areas: np.ndarray,
    sigmas: np.ndarray,
) -> np.ndarray:
    """Object keypoint similarity (N, M) of poses, with the tracks as ground truth; 0 if no joint is valid in both.

    It is the mean over the joints that are valid in both of exp(-d^2 / (2 (2 sigma)^2 area)), as in COCO's keypoint
    evaluation (pycocotools).

    Args:
        detections, tracks: (N, J, 2) and (M, J, 2) joints in pixels.
        detections_valid, tracks_valid: (N, J) and (M, J) masks of valid joints.
        track_areas: (M,) areas in square pixels, above 0.
        sigmas: (J,) standard deviations as a share of the square root of the area.
    """
    squared = np.square(detections[:, None] - tracks).sum(axis=3)  # (N, M, J)
    similarity = np.exp(-squared / (2 * track_areas[:, None] * np.square(2 * sigmas)))
    valid = detections_valid[:, None] & tracks_valid
    return np.where(valid, similarity, 0).sum(axis=2) / np.maximum(valid.sum(axis=2), 1)
