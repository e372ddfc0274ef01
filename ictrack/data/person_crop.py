"""Random crops around a person, as in PointSetAnchor's training."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from detectron2.data import transforms as T
from fvcore.transforms.transform import Transform


class CropTransform(Transform):
    """Resizing and cropping in one pass, padded outside the image.

    Args:
        scale: Factor of the image's size.
        center: x, y in continuous pixels of the image that come to the middle of the crop.
        size: Height and width of the crop.
        fill: Color of the padding.
    """

    def __init__(self, scale: float, center: Sequence[float], size: Sequence[int], fill: Sequence[float]) -> None:
        super().__init__()
        height, width = size
        offset = np.array([width, height]) / 2 - scale * np.asarray(center)
        self._set_attributes({"scale": scale, "offset": offset, "size": (height, width), "fill": tuple(fill)})

    def apply_image(self, img: np.ndarray, interp: int | None = None) -> np.ndarray:
        """``img``: (H, W, C) uint8."""
        height, width = img.shape[:2]
        shrunk = (max(round(width * self.scale), 1), max(round(height * self.scale), 1))
        if self.scale < 1 and interp is None:  # averages, where the bilinear warp below would skip pixels
            img = cv2.resize(img, shrunk, interpolation=cv2.INTER_AREA)
        factors = self.scale * np.array([width / img.shape[1], height / img.shape[0]])
        return self._warp(img, factors, cv2.INTER_LINEAR if interp is None else interp, self.fill)

    def _warp(self, img: np.ndarray, factors: np.ndarray, interp: int, fill: tuple[float, ...]) -> np.ndarray:
        # OpenCV counts from the center of the first pixel.
        matrix = np.column_stack([np.diag(factors), self.offset + (factors - 1) / 2])
        return cv2.warpAffine(img, matrix, self.size[::-1], flags=interp, borderValue=fill)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        return coords * self.scale + self.offset

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        return self._warp(segmentation, np.full(2, self.scale), cv2.INTER_NEAREST, (0.0,))


class RandomPersonCrop(T.Augmentation):
    """Crop of fixed size around the center of a random person's box, or of an image without people."""

    def __init__(
        self, scale: Sequence[float], size: Sequence[int], fill: Sequence[float], of_pixels: bool = False
    ) -> None:
        """
        Args:
            scale: Smallest and largest of uniformly drawn scales. The image is drawn ``scale`` times as large as it
                would just fit into the crop.
            size: Height and width of the crop.
            fill: Color of the padding.
            of_pixels: Whether ``scale`` times the crop's size is cut out of the image instead and resized to the crop,
                as in github.com/FangyunWei/PointSetAnchor: a magnification of the original pixels by 1 / ``scale``.
        """
        super().__init__()
        self._init({"scale": scale, "size": size, "fill": fill, "of_pixels": of_pixels})

    def get_transform(self, image: np.ndarray, boxes: np.ndarray) -> Transform:
        """Crop of an image; ``boxes`` are (N, 4) XYXY boxes of people."""
        height, width = image.shape[:2]
        box = boxes[np.random.randint(len(boxes))] if len(boxes) else np.array([0, 0, width, height])
        drawn = np.random.uniform(*self.scale)
        magnification = 1 / drawn if self.of_pixels else drawn * min(self.size[0] / height, self.size[1] / width)
        return CropTransform(magnification, (box[:2] + box[2:]) / 2, self.size, self.fill)
