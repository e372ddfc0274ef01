"""Shape of a tracked instance: mask or box, in the color of its identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .colors import track_color
from .skeleton import Color, rim_color


@dataclass
class Shape:
    """Drawn shape of one instance, in pixels of the canvas.

    Attributes:
        x, y: Left and top of its box.
        mask: uint8 (h, w), 0 or 255, in that box; None for an instance without a mask.
        contours: Result of OpenCV's findContours, relative to (x, y).
        centroid: x, y in the canvas.
    """

    track_id: int
    color: Color
    label: str
    x: int
    y: int
    mask: np.ndarray | None
    contours: Sequence[np.ndarray]
    area: float
    centroid: tuple[float, float]

    @classmethod
    def of_mask(cls, mask: np.ndarray, scale: int, track_id: int, label: str) -> Shape | None:
        """Shape of a mask uint8 (H, W), 0 or 1; None if it is empty."""
        x, y, w, h = cv2.boundingRect(mask)
        if not w:
            return None
        crop = mask[y : y + h, x : x + w] * np.uint8(255)
        if scale > 1:  # smooths the staircase of an enlarged outline
            grown = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
            crop = (cv2.GaussianBlur(grown, (0, 0), 0.8 * scale, borderType=cv2.BORDER_REPLICATE) > 127) * np.uint8(255)
        contours, _ = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        moments = cv2.moments(crop, binaryImage=True)
        area = max(moments["m00"], 1.0)
        centroid = (x * scale + moments["m10"] / area, y * scale + moments["m01"] / area)
        return cls(track_id, track_color(track_id), label, x * scale, y * scale, crop, contours, area, centroid)

    @classmethod
    def of_box(cls, box: np.ndarray, scale: int, track_id: int, label: str) -> Shape:
        """Shape of a box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = (round(float(value) * scale) for value in box)
        contour = np.array([[[0, 0]], [[x1 - x0, 0]], [[x1 - x0, y1 - y0]], [[0, y1 - y0]]], np.int32)
        area, centroid = float((x1 - x0) * (y1 - y0)), ((x0 + x1) / 2, (y0 + y1) / 2)
        return cls(track_id, track_color(track_id), label, x0, y0, None, [contour], area, centroid)

    def fill(self, canvas: np.ndarray, opacity: float) -> None:
        """Tint the pixels of the mask."""
        if self.mask is None:
            return
        region = canvas[self.y : self.y + self.mask.shape[0], self.x : self.x + self.mask.shape[1]]
        tint = np.empty_like(region)
        tint[:] = self.color[::-1]
        np.copyto(region, cv2.addWeighted(region, 1 - opacity, tint, opacity, 0), where=self.mask[..., None] > 0)

    def outline(self, canvas: np.ndarray, thickness: int) -> None:
        """Draw the contours in the identity's color, on a rim that stands out from it."""
        for color, width in ((rim_color(self.color), thickness + min(thickness, 2)), (self.color[::-1], thickness)):
            cv2.drawContours(canvas, self.contours, -1, color, width, cv2.LINE_AA, offset=(self.x, self.y))
