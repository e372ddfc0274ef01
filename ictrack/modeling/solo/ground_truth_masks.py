"""Ground-truth masks for SOLO's targets: their windows, mass centers, and copies at the network's resolution."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from detectron2.structures import BitMasks, Instances, PolygonMasks
from torch import Tensor


def bit_masks(instances: Instances) -> Tensor:
    """(N, H, W) bool ground-truth masks of an image, from BitMasks or PolygonMasks."""
    masks = instances.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *instances.image_size)
    if not isinstance(masks, BitMasks):
        raise TypeError(f"SOLO needs gt_masks of type BitMasks or PolygonMasks, got {type(masks).__name__}")
    if tuple(masks.tensor.shape[1:]) != tuple(instances.image_size):
        raise ValueError(f"gt_masks of {tuple(masks.tensor.shape[1:])} pixels for an image of {instances.image_size}")
    return masks.tensor.bool()


def mask_windows(masks: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
    """Window of every mask outside of which it is empty: its box, or the whole image if the box is too small. Work on
    masks is then proportional to the objects' areas.

    Args:
        masks: N bool masks (H, W).
        boxes: (N, 4) XYXY in pixels, not necessarily tight nor inside the image.

    Returns:
        (N, 4) int64 y0, y1, x0, x1 (half open).
    """
    sides = np.array([mask.shape for mask in masks]).reshape(-1, 2)
    corners = np.stack(
        [np.floor(boxes[:, 1]), np.ceil(boxes[:, 3]), np.floor(boxes[:, 0]), np.ceil(boxes[:, 2])], axis=1
    )
    windows = np.clip(corners, 0, sides.repeat(2, axis=1)).astype(np.int64)
    for mask, window in zip(masks, windows):
        y0, y1, x0, x1 = window
        if np.count_nonzero(mask[y0:y1, x0:x1]) != np.count_nonzero(mask):
            window[:] = 0, mask.shape[0], 0, mask.shape[1]
    return windows


def mass_centers(masks: Sequence[np.ndarray], windows: np.ndarray) -> np.ndarray:
    """(N, 2) float32 mean (x, y) pixel index of every mask, without half-pixel shift; NaN for an empty mask.

    Args:
        masks: N bool masks (H, W).
        windows: (N, 4) of :func:`mask_windows`.
    """
    centers = np.full((len(masks), 2), np.nan, dtype=np.float32)
    for center, mask, (y0, y1, x0, x1) in zip(centers, masks, windows):
        # Float32 products run in BLAS and are exact: their values are integers below 2^24.
        pixels = mask[y0:y1, x0:x1].astype(np.float32)
        rows = (pixels @ np.ones(x1 - x0, np.float32)).astype(np.int64)
        cols = (np.ones(y1 - y0, np.float32) @ pixels).astype(np.int64)
        area = rows.sum()
        if area:
            # A quotient of float32 numbers, as in the reference: cells on grid lines depend on it.
            center[0] = np.float32(cols @ np.arange(x0, x1)) / np.float32(area)
            center[1] = np.float32(rows @ np.arange(y0, y1)) / np.float32(area)
    return centers


def shrink_masks(masks: Sequence[np.ndarray], windows: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """(N, h, w) bool masks at 1/stride of the size: a pixel is set iff 2 of the 4 pixels around its block's center are.

    Equals OpenCV's bilinear resize of a uint8 mask by an even factor. Masks smaller than ``size * stride`` are padded
    with background.

    Args:
        masks: N bool masks (H, W).
        windows: (N, 4) of :func:`mask_windows`.
        stride: 1, or an even number.
        size: (h, w) of the result.
    """
    out = np.zeros((len(masks), *size), dtype=bool)
    center = ((stride - 1) // 2, stride // 2)
    for target, mask, (y0, y1, x0, x1) in zip(out, masks, windows):
        top, left = y0 // stride, x0 // stride
        window = mask[top * stride : y1, left * stride : x1].view(np.uint8)
        count = np.zeros((-(-window.shape[0] // stride), -(-window.shape[1] // stride)), dtype=np.uint8)
        for row in center:
            for col in center:
                samples = window[row::stride, col::stride]
                count[: samples.shape[0], : samples.shape[1]] += samples
        target[top : top + count.shape[0], left : left + count.shape[1]] = count >= 2
    return out


def shrink_unpadded_masks(masks: Sequence[np.ndarray], stride: int, size: tuple[int, int]) -> np.ndarray:
    """(N, h, w) bool masks at about 1/stride of the size, at the top left of ``size``: OpenCV's bilinear resize of each
    mask as it is, to its own sides over the stride, rounded. Masks whose sides are no multiple of it are stretched.

    Args:
        masks: N bool masks (H, W).
        stride: Factor.
        size: (h, w) of the result.
    """
    out = np.zeros((len(masks), *size), dtype=bool)
    for target, mask in zip(out, masks):
        height, width = (int(side / stride + 0.5) for side in mask.shape)
        shrunk = cv2.resize(mask.view(np.uint8), (width, height), interpolation=cv2.INTER_LINEAR)
        target[:height, :width] = shrunk[: size[0], : size[1]]
    return out
