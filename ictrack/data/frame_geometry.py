"""Random windows onto frames, with their exact mapping back to the frame.

All coordinates are continuous: the center of the first pixel is (0.5, 0.5), a frame of width w reaches from 0 to w.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .image_file import REDUCTIONS, SourceFrame

PAD_VALUE = 128  # beyond the edge of a frame, as in Detectron2's crops


class Window(NamedTuple):
    """Window of the output's aspect ratio onto a frame, independent of the frame's size.

    Attributes:
        zoom: Magnification relative to the largest window that fits into an upright frame.
        angle: Rotation in radians.
        flip: Whether the window is mirrored from left to right.
        offset: (x, y) in [0, 1], position between the left and right, and the upper and lower edge.
    """

    zoom: float
    angle: float
    flip: bool
    offset: tuple[float, float]


def draw_window(zoom: tuple[float, float], rotation: float, flip: bool) -> Window:
    """Window with uniformly drawn zoom in [smallest, largest], angle within +- ``rotation`` degrees, and offset."""
    x, y = np.random.uniform(size=2)
    angle = np.deg2rad(np.random.uniform(-rotation, rotation))
    return Window(float(np.random.uniform(zoom[0], zoom[1])), float(angle), flip, (float(x), float(y)))


def window_to_source(window: Window, source_size: tuple[int, int], output_size: tuple[int, int]) -> np.ndarray:
    """Affine map (2, 3) float64 from pixels of the output to pixels of the source frame; sizes are (height, width)."""
    (height, width), (output_height, output_width) = source_size, output_size
    scale = min(height / output_height, width / output_width) / window.zoom
    visible = np.array([output_width * scale, output_height * scale])
    center = visible / 2 + np.array(window.offset) * (np.array([width, height]) - visible)
    cos, sin = scale * np.cos(window.angle), scale * np.sin(window.angle)
    matrix = np.array([[cos, -sin], [sin, cos]])
    if window.flip:
        matrix[:, 0] *= -1
    return np.column_stack([matrix, center - matrix @ [output_width / 2, output_height / 2]])


def window_reduction(affine: np.ndarray, max_enlargement: float = 1.0) -> int:
    """Largest of REDUCTIONS by which a frame can be decoded smaller.

    Args:
        affine: (2, 3) map from pixels of the output to pixels of the source.
        max_enlargement: Largest factor, at least 1, by which the decoded frame may be enlarged. 1 keeps all detail.
    """
    scale = np.sqrt(abs(np.linalg.det(affine[:, :2])))
    return max(factor for factor in REDUCTIONS if factor == 1 or factor <= scale * max_enlargement + 1e-6)


def apply_window(frame: SourceFrame, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Frame seen through a window: uint8 (height, width, 3), bilinear, with PAD_VALUE beyond the frame's edge.

    Args:
        frame: Frame decoded at any reduction.
        affine: (2, 3) map from pixels of the output to pixels of the source.
        size: (height, width) of the output.
    """
    to_reduced = _between_pixel_centers(affine / frame.reduction)
    if np.allclose(to_reduced, np.eye(2, 3), atol=1e-6) and frame.image.shape[:2] == size:
        return frame.image
    return cv2.warpAffine(
        frame.image,
        to_reduced,
        size[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAD_VALUE,) * 3,
    )


def warp_mask(mask: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Mask seen through a window: bool (height, width), true where it covers at least half of a pixel.

    Args:
        mask: uint8 (h, w) of 0 and 1, in the source frame.
        affine: (2, 3) map from pixels of the output to pixels of ``mask``.
        size: (height, width) of the output.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(255 * mask, _between_pixel_centers(affine), size[::-1], flags=flags) >= 128


def warp_points(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points seen through a window: (..., 2) x, y in pixels of the output, also beyond its edges.

    Args:
        points: (..., 2) x, y in pixels of the source frame.
        affine: (2, 3) map from pixels of the output to pixels of the source frame.
    """
    return (points - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T


def is_mirrored(affine: np.ndarray) -> bool:
    """Whether a (2, 3) affine map exchanges left and right."""
    return bool(np.linalg.det(affine[:, :2]) < 0)


def _between_pixel_centers(affine: np.ndarray) -> np.ndarray:
    """Affine map in OpenCV's coordinates, where the first pixel is centered at (0, 0)."""
    result = affine.copy()
    result[:, 2] += result[:, :2] @ [0.5, 0.5] - 0.5
    return result


def visible_cells(
    affine: np.ndarray, source_size: tuple[int, int], output_size: tuple[int, int], stride: int
) -> np.ndarray:
    """Mask (height / stride, width / stride) of the output's cells whose center lies inside the source frame."""
    rows, columns = (np.arange(side // stride) * stride + stride / 2 for side in output_size)
    x = affine[0, 0] * columns + affine[0, 1] * rows[:, None] + affine[0, 2]
    y = affine[1, 0] * columns + affine[1, 1] * rows[:, None] + affine[1, 2]
    return (x >= 0) & (x <= source_size[1]) & (y >= 0) & (y <= source_size[0])
