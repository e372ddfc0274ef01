"""Pictures of single objects, turned to a common direction and without their surroundings."""

from __future__ import annotations

import cv2
import numpy as np

# Height and width of a crop in pixels.
SIZE = (40, 64)
# Length of the longest object, as a share of the width of a crop.
_FILLED = 0.9


class CropCutter:
    """Cuts objects out of frames: turned so that the longer axis lies level and the thicker end on the left.

    What is outside the mask is 0, so that no neighbor and no background tells who it is.
    """

    def __init__(self, length: float) -> None:
        """
        Args:
            length: Length in pixels of the longest usual object; it fills a crop.
        """
        self.scale = _FILLED * SIZE[1] / max(length, 1.0)

    def __call__(self, frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(40, 64, 3) uint8 crop; equal objects at different places give equal crops, to the last bit.

        Args:
            frame: (H, W, 3) uint8.
            mask: (H, W) bool, not empty.
        """
        # All is computed from the corner of the object: rounding depends on the size of coordinates, and a network
        # could learn from it where in the frame an object is.
        window = _window(mask)
        mask = np.pad(mask[window], 1)
        frame = np.pad(frame[window], ((1, 1), (1, 1), (0, 0)))
        center, direction = _axis(mask)
        angle = float(np.degrees(np.arctan2(direction[1], direction[0])))
        turn = np.asarray(cv2.getRotationMatrix2D(center, angle, self.scale), dtype=np.float64)
        turn[:, 2] += np.subtract((SIZE[1] / 2, SIZE[0] / 2), center)
        crop = cv2.warpAffine(frame, turn, SIZE[::-1], flags=cv2.INTER_LINEAR)
        inside = cv2.warpAffine(mask.astype(np.uint8) * 255, turn, SIZE[::-1], flags=cv2.INTER_LINEAR) > 127
        return np.where(inside[..., None], crop, 0).astype(np.uint8)


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of the bounding box of a mask that is not empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def length_of(mask: np.ndarray) -> float:
    """Length in pixels of a mask (H, W) along its longer axis; 0 for an empty one."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    center, direction = _axis(mask)
    along = (columns - center[0]) * direction[0] + (rows - center[1]) * direction[1]
    return float(along.max() - along.min() + 1)


def _axis(mask: np.ndarray) -> tuple[tuple[float, float], np.ndarray]:
    """Center (x, y) of a mask, and the unit vector (x, y) along its longer axis, towards its thinner end."""
    rows, columns = np.nonzero(mask)
    points = np.stack([columns, rows], axis=1).astype(float)
    center = points.mean(axis=0)
    points -= center
    direction = np.linalg.eigh(points.T @ points)[1][:, -1]
    # A long thin end has a few far points, whose cubes outweigh the many near ones of the thick end.
    if ((points @ direction) ** 3).sum() < 0:
        direction = -direction
    return (float(center[0]), float(center[1])), direction
