"""Meta-architecture for footage with a plain background: instances are connected regions that differ from it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances

from .featureless_detector import FeaturelessDetector

METHODS = ("dark", "bright", "background")


@META_ARCH_REGISTRY.register()
class ForegroundSegmenter(FeaturelessDetector):
    """Detector without weights: every connected region of the foreground that is large enough is an instance.

    The foreground are pixels darker or brighter than a threshold, or pixels that differ from a model of the background
    (OpenCV's mixture of Gaussians), which learns from the frames of a video as they come. Objects that touch are one
    instance. All detections have the score 1 and the class 0.
    """

    @configurable
    def __init__(
        self,
        *,
        method: str,
        threshold: float,
        min_area: int,
        max_area: int,
        opening: int,
        history: int,
        image_format: str,
    ) -> None:
        """
        Args:
            method: "dark", "bright" or "background".
            threshold: Gray value (0 to 255) below or above which a pixel is foreground; for "background" the squared
                distance to the background, in variances.
            min_area, max_area: Smallest and largest area of an instance in pixels of the network's input; 0: no limit.
            opening: Diameter in pixels of the disk of a morphological opening, which removes thin bridges and specks;
                0: none.
            history: Number of frames that the model of the background remembers.
            image_format: Channel order of the input, "BGR" or "RGB".

        Raises:
            ValueError: If the method is unknown.
        """
        super().__init__()
        if method not in METHODS:
            raise ValueError(f"MODEL.FOREGROUND.METHOD is {method!r}, expected one of {METHODS}")
        self.method = method
        self.threshold = threshold
        self.min_area = min_area
        self.max_area = max_area
        self.kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (opening, opening)) if opening else None
        self.history = history
        self.to_gray = cv2.COLOR_BGR2GRAY if image_format == "BGR" else cv2.COLOR_RGB2GRAY
        self._background: Any = None

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        options = cfg.MODEL.FOREGROUND
        return {
            "method": options.METHOD,
            "threshold": options.THRESHOLD,
            "min_area": options.MIN_AREA,
            "max_area": options.MAX_AREA,
            "opening": options.OPENING,
            "history": options.HISTORY,
            "image_format": cfg.INPUT.FORMAT,
        }

    def _detect(self, record: dict[str, Any]) -> Instances:
        """Instances of an image by falling area, with pred_boxes, scores, pred_classes and pred_masks.

        Args:
            record: "image" (3, h, w), "height" and "width" of the output, and in a video "frame_index", whose 0 begins
                a new background.
        """
        image = record["image"].permute(1, 2, 0).cpu().numpy().astype(np.uint8)
        foreground = self._foreground(np.ascontiguousarray(image), is_first=record.get("frame_index") == 0)
        if self.kernel is not None:
            foreground = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, self.kernel)
        _, labels, statistics, _ = cv2.connectedComponentsWithStats(foreground, connectivity=8)
        areas = statistics[1:, cv2.CC_STAT_AREA]  # 0 is the background
        large = areas >= self.min_area
        if self.max_area:
            large &= areas <= self.max_area
        kept = 1 + np.flatnonzero(large)[np.argsort(-areas[large], kind="stable")]
        masks = labels == kept[:, None, None]
        size = (int(record.get("height", image.shape[0])), int(record.get("width", image.shape[1])))
        boxes = statistics[kept][:, [cv2.CC_STAT_LEFT, cv2.CC_STAT_TOP, cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
        found = Boxes(torch.from_numpy(boxes.astype(np.float32)))
        found.tensor[:, 2:] += found.tensor[:, :2]
        if size != image.shape[:2]:
            masks = np.array([_resized(mask, size) for mask in masks], dtype=bool).reshape(-1, *size)
            found.scale(size[1] / image.shape[1], size[0] / image.shape[0])
        return Instances(
            size,
            pred_boxes=found,
            scores=torch.ones(len(kept)),
            pred_classes=torch.zeros(len(kept), dtype=torch.int64),
            pred_masks=torch.from_numpy(masks),
        )

    def _foreground(self, image: np.ndarray, *, is_first: bool) -> np.ndarray:
        """(h, w) uint8, 255 in the foreground of a uint8 image (h, w, 3)."""
        if self.method == "background":
            if self._background is None or is_first:
                self._background = cv2.createBackgroundSubtractorMOG2(self.history, self.threshold, detectShadows=False)
            return self._background.apply(image)
        kind = cv2.THRESH_BINARY_INV if self.method == "dark" else cv2.THRESH_BINARY
        # THRESH_BINARY_INV keeps values up to and including its threshold.
        limit = np.ceil(self.threshold) - 1 if self.method == "dark" else self.threshold
        return cv2.threshold(cv2.cvtColor(image, self.to_gray), limit, 255, kind)[1]


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
