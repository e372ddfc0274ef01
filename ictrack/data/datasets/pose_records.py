"""Dataset dicts of images with labeled people, in one set of joints for all data sets.

A record is Detectron2's: ``file_name``, ``image_id``, ``annotations`` with ``bbox``, ``keypoints`` (x, y, visibility:
0 not labeled, 1 occluded, 2 visible) and so on, with continuous coordinates (the first pixel's center is (0.5, 0.5)).
It has one more key, ``annotated_joints``: for each joint, whether the data set labels it at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import BoxMode

from ictrack.structures.joints import JointSet

# Enlargement of the joints' box to a person's box where only joints are annotated (inferred).
BOX_MARGIN = 1.3


def register_pose_images(
    name: str, load: Callable[[], list[dict[str, Any]]], joints: JointSet, **metadata: Any
) -> None:
    """Register images with people, in ``joints``, for ``cfg.DATASETS.TRAIN``; ``load`` returns the records."""
    DatasetCatalog.register(name, load)
    MetadataCatalog.get(name).set(
        thing_classes=["person"],
        keypoint_names=list(joints.names),
        keypoint_flip_map=[(joints.names[left], joints.names[right]) for left, right in joints.flip_pairs],
        **metadata,
    )


def pose_record(
    file_name: str, image_id: int | str, people: Sequence[np.ndarray], annotated: Sequence[bool]
) -> dict[str, Any]:
    """Record of an image with annotated joints only.

    Args:
        file_name: Path of the image.
        image_id: Id, unique in the data set.
        people: Poses (J, 3) of x, y, visibility. People without a labeled joint are left out.
        annotated: (J,) whether the data set labels the joint.
    """
    labeled = [pose for pose in people if (pose[:, 2] > 0).any()]
    return {
        "file_name": file_name,
        "image_id": image_id,
        "annotated_joints": list(map(bool, annotated)),
        "annotations": [
            {
                "bbox": joint_box(pose),
                "bbox_mode": BoxMode.XYXY_ABS,
                "category_id": 0,
                "iscrowd": 0,
                "keypoints": pose.ravel().tolist(),
            }
            for pose in labeled
        ],
    }


def joint_box(pose: np.ndarray) -> list[float]:
    """Box XYXY of the labeled joints of a pose (J, 3), enlarged by BOX_MARGIN; at least a pixel large."""
    points = pose[pose[:, 2] > 0, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    half = np.maximum((high - low) * BOX_MARGIN, 1) / 2
    return [*((low + high) / 2 - half).tolist(), *((low + high) / 2 + half).tolist()]
