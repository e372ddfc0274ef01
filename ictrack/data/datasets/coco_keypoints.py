"""COCO keypoints, also in the joints of PoseTrack18.

``keypoints_coco_2017_train_posetrack`` and ``keypoints_coco_2017_val_posetrack``, beside the data sets that Detectron2
registers below ``DETECTRON2_DATASETS``, can be mixed with data in PoseTrack's joints: the nose and the limbs are
COCO's, and the other joints of the head are not labeled.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog

from ictrack.structures.coco_json import read_coco
from ictrack.structures.joints import COCO_17, POSETRACK_18, JointSet, joint_indices
from ictrack.structures.json_files import require

from .coco_images import coco_records
from .pose_records import register_pose_images

# PoseTrack labels no ears, and a joint must mean the same in all data.
_UNUSED_IN_POSETRACK = ("left_ear", "right_ear")

_PERSON_ID = 1  # id of COCO's one category


def register_coco_keypoints(name: str, json_file: str, image_root: str, joints: JointSet = COCO_17) -> None:
    """Register people in COCO's format under ``name``.

    Args:
        json_file: Annotation file, such as person_keypoints_*.json.
        image_root: Folder of images.
        joints: Joints of the records, COCO_17 or POSETRACK_18.
    """
    register_pose_images(
        name,
        lambda: load_coco_keypoints(json_file, image_root, joints),
        joints,
        json_file=json_file,
        image_root=image_root,
        evaluator_type="coco",
        thing_dataset_id_to_contiguous_id={_PERSON_ID: 0},
    )


def register_all_coco_keypoints(root: str) -> None:
    """Register the public data sets in PoseTrack's joints; names that exist already are left alone."""
    for split in ("train", "val"):
        name = f"keypoints_coco_2017_{split}_posetrack"
        if name not in DatasetCatalog:
            annotations = os.path.join(root, f"coco/annotations/person_keypoints_{split}2017.json")
            register_coco_keypoints(name, annotations, os.path.join(root, f"coco/{split}2017"), POSETRACK_18)


def load_coco_keypoints(json_file: str, image_root: str, joints: JointSet = COCO_17) -> list[dict[str, Any]]:
    """Records (:mod:`pose_records`) of the file's people, including crowds and people without joints.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
    """
    data = read_coco(json_file, len(COCO_17))
    require("annotations" in data, json_file, "annotations: must be a list")
    (person, *others) = data["categories"] or [{}]
    require(
        not others and (person.get("id"), person.get("name")) == (_PERSON_ID, "person"),
        json_file,
        f'categories: must be one, "person" with id {_PERSON_ID}',
    )
    records = coco_records(data, image_root, json_file)
    columns = joint_indices(COCO_17.names, joints.names)
    if joints is not COCO_17:
        columns = [-1 if joint in _UNUSED_IN_POSETRACK else c for c, joint in zip(columns, joints.names)]
    for record in records:
        record["annotated_joints"] = [column >= 0 for column in columns]
        for person in record["annotations"]:
            person.pop("segmentation", None)
            pose = np.array(person.get("keypoints", [0] * 3 * len(COCO_17)), dtype=np.float64).reshape(-1, 3)
            chosen = np.where(np.array(columns)[:, None] >= 0, pose[columns], 0)
            person["keypoints"] = (chosen * (chosen[:, 2:] > 0)).ravel().tolist()
    return records
