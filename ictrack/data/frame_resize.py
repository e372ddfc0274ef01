"""Resizing of whole frames for a detector, as Detectron2's ``ResizeShortestEdge`` does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class FrameResize:
    """Resize that keeps the proportions.

    Attributes:
        min_size: Length of the shorter side, in pixels; 0: frames stay as they are.
        max_size: Largest length of the longer side; 0: no limit.
    """

    min_size: int
    max_size: int

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of a resized frame."""
        if not self.min_size:
            return height, width
        scale = self.min_size / min(height, width)
        sides = (float(self.min_size), scale * width) if height < width else (scale * height, float(self.min_size))
        if 0 < self.max_size < max(sides):
            shrinking = self.max_size / max(sides)
            sides = (sides[0] * shrinking, sides[1] * shrinking)
        return max(1, int(sides[0] + 0.5)), max(1, int(sides[1] + 0.5))

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Frame uint8 (H, W, 3), bilinearly with antialiasing."""
        if not self.min_size:
            return frame
        height, width = self.size_of(*frame.shape[:2])
        return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))
