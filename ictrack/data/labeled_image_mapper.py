"""Mapper of a labeled image to one or several augmented training views of it."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import detection_utils as utils
from detectron2.data import transforms as T
from detectron2.structures import Boxes
from fvcore.transforms.transform import HFlipTransform, NoOpTransform, VFlipTransform

from .augmentation import ColorTransform, build_train_augmentation
from .bad_files import BadFileCounter
from .image_file import ImageReadError, read_image
from .object_masks import augmented_mask

_INSTANCES_PER_IMAGE = 1 << 16
# Transforms under which the annotated box stays the object's box, by which SOLO's levels are chosen (WXinlong/SOLO).
_BOX_TO_BOX = (NoOpTransform, HFlipTransform, VFlipTransform, T.ResizeTransform, ColorTransform)


class LabeledImageMapper:
    """Mapper of a Detectron2 dataset dict with masks to ``{"width", "height", "views": [view, ...]}``.

    A view is a dataset dict with "image" ((C, H, W) uint8) and "instances" (gt_boxes, gt_classes, gt_masks as
    BitMasks, and gt_ids). An annotation has the same gt_id in every view of its image, and no other annotation of the
    data set has it, so the instance contrastive loss can pool the views of an instance.

    An image that cannot be read is logged and mapped to None (Detectron2's loader then draws another).

    Args:
        augmentations: Augmentations of each view, with random draws of its own.
        image_format: Channel order, as in ``cfg.INPUT.FORMAT``.
        num_views: Number of views of each image.
        max_bad_images: Number of unreadable images after which BadFilesError is raised.
    """

    @configurable
    def __init__(
        self, *, augmentations: list[T.Augmentation], image_format: str, num_views: int, max_bad_images: int
    ) -> None:
        if num_views < 1:
            raise ValueError(f"INPUT.NUM_VIEWS must be at least 1, not {num_views}")
        self._augmentations = augmentations
        self._image_format = image_format
        self._num_views = num_views
        self._bad_files = BadFileCounter(max_bad_images, "images of the data set", "DATALOADER.MAX_BAD_SHARE")

    @classmethod
    def from_config(cls, cfg: CfgNode, num_images: int) -> dict[str, Any]:
        return {
            "augmentations": build_train_augmentation(cfg),
            "image_format": cfg.INPUT.FORMAT,
            "num_views": cfg.INPUT.NUM_VIEWS,
            "max_bad_images": int(cfg.DATALOADER.MAX_BAD_SHARE * num_images),
        }

    def __call__(self, dataset_dict: dict[str, Any]) -> dict[str, Any] | None:
        try:
            image = read_image(dataset_dict["file_name"], format=self._image_format)
            utils.check_image_size(dict(dataset_dict), image)
        except (ImageReadError, utils.SizeMismatchError) as error:
            self._bad_files.count(dataset_dict["file_name"], error)
            return None
        return {
            "width": image.shape[1],
            "height": image.shape[0],
            "views": [self._view(dataset_dict, image) for _ in range(self._num_views)],
        }

    def _view(self, dataset_dict: dict[str, Any], image: np.ndarray) -> dict[str, Any]:
        view = {key: value for key, value in dataset_dict.items() if key != "annotations"}
        augmented = T.AugInput(image)
        transforms = T.AugmentationList(self._augmentations)(augmented)
        size = augmented.image.shape[:2]
        view["image"] = torch.as_tensor(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))

        kept = [
            (identity, _transformed(annotation, transforms, size))
            for identity, annotation in self._identified(dataset_dict)
        ]
        instances = utils.annotations_to_instances([annotation for _, annotation in kept], size, mask_format="bitmask")
        if not kept:
            instances.gt_masks = utils.BitMasks(torch.zeros((0, *size), dtype=torch.bool))
        instances.gt_ids = torch.tensor([identity for identity, _ in kept], dtype=torch.int64)
        boxes = instances.gt_masks.get_bounding_boxes().tensor
        # The transformed box of a rotated or cropped object is looser than its remaining mask.
        if all(isinstance(transform, _BOX_TO_BOX) for transform in transforms.transforms):
            boxes = torch.where(instances.gt_boxes.nonempty()[:, None], instances.gt_boxes.tensor, boxes)
        instances.gt_boxes = Boxes(boxes)
        view["instances"] = utils.filter_empty_instances(instances)
        return view

    def _identified(self, dataset_dict: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
        """Annotations except crowds, each with its gt_id."""
        first_id = zlib.crc32(dataset_dict["file_name"].encode()) * _INSTANCES_PER_IMAGE
        return [
            (first_id + index, annotation)
            for index, annotation in enumerate(dataset_dict["annotations"])
            if not annotation.get("iscrowd", 0)
        ]


def _transformed(annotation: dict[str, Any], transforms: T.TransformList, size: tuple[int, int]) -> dict[str, Any]:
    bare = {key: value for key, value in annotation.items() if key not in ("segmentation", "keypoints")}
    moved = utils.transform_instance_annotations(bare, transforms, size)
    return {**moved, "segmentation": augmented_mask(annotation["segmentation"], transforms, size)}
