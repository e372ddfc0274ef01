"""Masks in labeled images: objects without one, and masks under augmentations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from detectron2.data import transforms as T
from detectron2.structures import BoxMode
from pycocotools import mask as mask_util

from ictrack.structures.json_files import AnnotationError

logger = logging.getLogger(__name__)


def with_masks(records: Sequence[dict[str, Any]], name: str, *, required: bool) -> list[dict[str, Any]]:
    """Records with a mask for every object that is no crowd.

    Args:
        records: Dataset dicts.
        name: Name of their data sets, for messages.
        required: Whether objects without a mask are left out, which is logged once; False: their box is their mask.

    Raises:
        AnnotationError: a mask is required, and no object has one.
    """
    result, num_without, num_with = [], 0, 0
    for record in records:
        kept = []
        for annotation in record["annotations"]:
            if annotation.get("segmentation") or annotation.get("iscrowd", 0):
                num_with += not annotation.get("iscrowd", 0)
                kept.append(annotation)
            elif required:
                num_without += 1
            else:
                kept.append({**annotation, "segmentation": [_corners(annotation)]})
        result.append({**record, "annotations": kept})
    if num_without and not num_with:
        raise AnnotationError(
            f"{name}: no annotation has a mask, which this model learns from ({num_without} annotations)"
        )
    if num_without:
        logger.warning("%s: %d of %d objects have no mask, left out", name, num_without, num_without + num_with)
    return result


def augmented_mask(segmentation: Any, transforms: T.TransformList, size: tuple[int, int]) -> np.ndarray:
    """Mask, (H, W) bool, in an augmented image.

    Polygons are transformed point by point and drawn at the image's size, which cuts off what is outside.

    Args:
        segmentation: Polygons or an RLE in the original image.
        transforms: Transforms from the original to the augmented image.
        size: (H, W) of the augmented image.
    """
    if not isinstance(segmentation, list):
        return transforms.apply_segmentation(mask_util.decode(segmentation)).astype(bool)
    moved = [
        transforms.apply_coords(np.asarray(polygon, dtype=np.float64).reshape(-1, 2)).ravel().tolist()
        for polygon in segmentation
    ]
    return mask_util.decode(mask_util.merge(mask_util.frPyObjects(moved, *size))).astype(bool)


def _corners(annotation: dict[str, Any]) -> list[float]:
    x0, y0, x1, y1 = BoxMode.convert(annotation["bbox"], annotation["bbox_mode"], BoxMode.XYXY_ABS)
    return [x0, y0, x1, y0, x1, y1, x0, y1]
