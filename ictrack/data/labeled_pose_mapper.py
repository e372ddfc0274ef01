"""Mapper of an image with labeled people to one or several augmented training views of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import detection_utils as utils
from detectron2.data import transforms as T
from detectron2.structures import BoxMode

from ictrack.structures.joints import JointSet, configured_joints

from .augmentation import published_person_crops
from .labeled_image_mapper import LabeledImageMapper


class LabeledPoseMapper(LabeledImageMapper):
    """:class:`LabeledImageMapper` of people: gt_boxes, gt_classes, gt_keypoints and gt_ids, but no masks.

    Crowds and people without a labeled joint are left out, and in a view also people whose box's center is outside
    or who have no labeled joint there. The augmentations get the people's boxes.

    Args:
        joints: Joint set of the records' keypoints.
        joints_outside: Whether a joint outside a view stays labeled, to be regressed (PointSetAnchor).
    """

    @configurable
    def __init__(self, *, joints: JointSet, joints_outside: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._joints = joints
        self._joints_outside = joints_outside

    @classmethod
    def from_config(cls, cfg: CfgNode, num_images: int) -> dict[str, Any]:
        joints = configured_joints(cfg)
        if joints is None:
            raise ValueError("poses are for a detector of keypoints, and MODEL.KEYPOINT_ON is False")
        return {
            **super().from_config(cfg, num_images),
            "joints": joints,
            "joints_outside": published_person_crops(cfg),
        }

    def _view(self, dataset_dict: dict[str, Any], image: np.ndarray) -> dict[str, Any]:
        view = {key: value for key, value in dataset_dict.items() if key != "annotations"}
        people = [
            (identity, annotation)
            for identity, annotation in self._identified(dataset_dict)
            if self._is_labeled(annotation, dataset_dict["file_name"])
        ]
        boxes = np.array([BoxMode.convert(p["bbox"], p["bbox_mode"], BoxMode.XYXY_ABS) for _, p in people])
        boxes = boxes.reshape(-1, 4)
        augmented = T.AugInput(image, boxes=boxes)
        transforms = T.AugmentationList(self._augmentations)(augmented)
        size = augmented.image.shape[:2]
        view["image"] = torch.as_tensor(np.ascontiguousarray(augmented.image.transpose(2, 0, 1)))

        centers = transforms.apply_coords((boxes[:, :2] + boxes[:, 2:]) / 2)
        inside = ((centers >= 0) & (centers < size[::-1])).all(axis=1)
        kept = []
        for is_inside, (identity, annotation) in zip(inside, people):
            if is_inside:
                bare = {k: copy.copy(v) for k, v in annotation.items() if k not in ("segmentation", "keypoints")}
                moved = utils.transform_instance_annotations(bare, transforms, size)
                moved["keypoints"] = self._moved(annotation["keypoints"], transforms, size)
                if moved["keypoints"][:, 2].any():
                    kept.append((identity, moved))
        instances = utils.annotations_to_instances([annotation for _, annotation in kept], size)
        if not kept:
            instances.gt_keypoints = utils.Keypoints(torch.zeros(0, len(self._joints), 3))
        instances.gt_ids = torch.tensor([identity for identity, _ in kept], dtype=torch.int64)
        view["instances"] = instances
        return view

    def _moved(self, keypoints: Sequence[float], transforms: T.TransformList, size: tuple[int, int]) -> np.ndarray:
        """Pose (J, 3) in a view of ``size``, 0 where a joint is not labeled."""
        pose = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
        pose[:, :2] = transforms.apply_coords(pose[:, :2])
        if not self._joints_outside:
            pose[((pose[:, :2] < 0) | (pose[:, :2] > size[::-1])).any(axis=1), 2] = 0
        if sum(isinstance(transform, T.HFlipTransform) for transform in transforms.transforms) % 2:
            pose = pose[list(self._joints.flip_permutation)]
        pose[pose[:, 2] == 0] = 0
        return pose

    def _is_labeled(self, annotation: dict[str, Any], file_name: str) -> bool:
        keypoints = annotation.get("keypoints")
        if keypoints is None:
            return False
        if len(keypoints) != 3 * len(self._joints):
            raise ValueError(
                f"{file_name}: a person has {len(keypoints)} numbers of keypoints, but the model's joints, "
                f"{self._joints.name}, need 3 x {len(self._joints)}"
            )
        return any(v > 0 for v in keypoints[2::3])
