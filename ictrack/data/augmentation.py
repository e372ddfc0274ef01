"""Augmentations of labeled images, built from the keys under ``cfg.INPUT``."""

from __future__ import annotations

import cv2
import numpy as np
from detectron2.config import CfgNode
from detectron2.data import transforms as T
from fvcore.transforms.transform import NoOpTransform, PadTransform, Transform

from ictrack.structures.joints import configured_joints

from .person_crop import RandomPersonCrop

PERSON_CROPS = ("fitted", "published")


class ColorTransform(Transform):
    """Brightness, contrast, saturation and hue in one pass over the image.

    Args:
        brightness, contrast, saturation: Factors; 1 leaves the image as it is.
        hue: Shift as a fraction of the color circle.
        channel_order: "RGB" or "BGR".
    """

    def __init__(
        self, brightness: float, contrast: float, saturation: float, hue: float, channel_order: str = "RGB"
    ) -> None:
        super().__init__()
        self._set_attributes(locals())

    def apply_image(self, img: np.ndarray, interp: str | None = None) -> np.ndarray:
        """``img``: (H, W, 3) uint8."""
        weights = np.array([0.299, 0.587, 0.114])
        gray = weights if self.channel_order == "RGB" else weights[::-1]
        # One matrix does all three, which are linear: contrast about the mean, then saturation about the gray value.
        gain = self.contrast * self.brightness
        matrix = gain * (self.saturation * np.eye(3) + (1 - self.saturation) * gray)
        offset = (1 - self.contrast) * self.brightness * np.mean(cv2.mean(img)[:3])
        image = cv2.transform(img, np.column_stack([matrix, np.full(3, offset)]))
        if self.hue:
            to_hsv = cv2.COLOR_RGB2HSV_FULL if self.channel_order == "RGB" else cv2.COLOR_BGR2HSV_FULL
            to_rgb = cv2.COLOR_HSV2RGB_FULL if self.channel_order == "RGB" else cv2.COLOR_HSV2BGR_FULL
            hsv = cv2.cvtColor(image, to_hsv)
            hsv[..., 0] += np.uint8(round(self.hue * 256) % 256)  # wraps around, as the color circle does
            image = cv2.cvtColor(hsv, to_rgb)
        return image

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        return coords

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        return segmentation

    def inverse(self) -> Transform:
        return NoOpTransform()


class RandomColor(T.Augmentation):
    """Random ColorTransform, uniformly drawn: factors from 1 +- ``strength``, hue from +- ``hue``."""

    def __init__(self, strength: float, hue: float, channel_order: str = "RGB") -> None:
        super().__init__()
        self._init(locals())

    def get_transform(self, *args: np.ndarray) -> Transform:
        brightness, contrast, saturation = np.random.uniform(1 - self.strength, 1 + self.strength, size=3)
        hue = np.random.uniform(-self.hue, self.hue)
        return ColorTransform(brightness, contrast, saturation, hue, self.channel_order)


class FixedSizeCrop(T.FixedSizeCrop):
    """Detectron2's FixedSizeCrop with masks padded by 0, not by the "ignore" label 255, which a binary mask takes for
    foreground."""

    def get_transform(self, image: np.ndarray) -> Transform:
        transforms = super().get_transform(image)
        for transform in getattr(transforms, "transforms", [transforms]):
            if isinstance(transform, PadTransform):
                transform.seg_pad_value = 0
        return transforms


class RandomSqueeze(T.Augmentation):
    """Random narrowing of the image by a factor in [``low``, ``high``]; an object that turns away looks narrower."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        if not 0 < low <= high:
            raise ValueError(f"INPUT.SQUEEZE must be [smallest, largest] factor above 0 or [], not {[low, high]}")
        self._init(locals())

    def get_transform(self, image: np.ndarray) -> Transform:
        height, width = image.shape[:2]
        narrowed = max(1, round(width * np.random.uniform(self.low, self.high)))
        return T.ResizeTransform(height, width, height, narrowed)


def published_person_crops(cfg: CfgNode) -> bool:
    """Whether ``cfg.INPUT.PERSON_CROP`` asks for PointSetAnchor's crops. Raises ValueError for an unknown value."""
    if cfg.INPUT.PERSON_CROP not in PERSON_CROPS:
        raise ValueError(f"INPUT.PERSON_CROP is {cfg.INPUT.PERSON_CROP!r}, expected one of {PERSON_CROPS}")
    return cfg.INPUT.PERSON_CROP == "published"


def build_train_augmentation(cfg: CfgNode) -> list[T.Augmentation]:
    """Augmentations of one training view: squeeze, resizing or scale-jittered crop, rotation, flip, then color."""
    inp = cfg.INPUT
    augmentations: list[T.Augmentation] = []
    if len(inp.SQUEEZE):
        augmentations.append(RandomSqueeze(*inp.SQUEEZE))
    if len(inp.SCALE_JITTER):
        if len(inp.SCALE_JITTER) != 2:
            raise ValueError(f"INPUT.SCALE_JITTER must be [smallest, largest] scale or [], not {inp.SCALE_JITTER}")
        height, width = inp.CROP_SIZE
        if configured_joints(cfg) is not None:
            published = published_person_crops(cfg)
            fill = (0.0, 0.0, 0.0) if published else cfg.MODEL.PIXEL_MEAN
            augmentations.append(RandomPersonCrop(inp.SCALE_JITTER, (height, width), fill, published))
        else:
            augmentations += [
                T.ResizeScale(*inp.SCALE_JITTER, target_height=height, target_width=width),
                FixedSizeCrop(crop_size=(height, width)),
            ]
    else:
        augmentations.append(T.ResizeShortestEdge(inp.MIN_SIZE_TRAIN, inp.MAX_SIZE_TRAIN, inp.MIN_SIZE_TRAIN_SAMPLING))
    if inp.ROTATION > 0:
        augmentations.append(T.RandomRotation([-inp.ROTATION, inp.ROTATION], expand=False))
    if inp.RANDOM_FLIP != "none":
        vertical = inp.RANDOM_FLIP == "vertical"
        augmentations.append(T.RandomFlip(horizontal=not vertical, vertical=vertical))
    if inp.COLOR_JITTER > 0 or inp.HUE_JITTER > 0:
        augmentations.append(RandomColor(inp.COLOR_JITTER, inp.HUE_JITTER, inp.FORMAT))
    return augmentations
