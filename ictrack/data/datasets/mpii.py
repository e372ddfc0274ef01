"""MPII Human Pose for training, in the joints of PoseTrack18: annotations as released (.mat) or as JSON.

Below ``DETECTRON2_DATASETS`` (default ``./datasets``)::

    mpii/images/<image>.jpg
    mpii/annotations/mpii_{train,val,trainval}.json     registered as mpii_train and so on
    mpii/mpii_human_pose_v1_u12_1.mat                   registered as mpii_released, the part with annotations

The JSON, which HRNet and mmpose use, is a list of people {image, joints (16 pairs), joints_vis (16 times 0 or 1)}. Both
count pixels from 1. MPII has neither nose nor ears, and its pelvis and thorax have no counterpart.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog

from ictrack.structures.inside_folder import path_inside
from ictrack.structures.joints import MPII_16, POSETRACK_18, convert_keypoints, joint_indices
from ictrack.structures.json_files import AnnotationError, is_finite, read_json, require
from ictrack.structures.mpii_mat import SHIFT, read_mpii_mat

from .pose_records import pose_record, register_pose_images

_LAYOUT = {
    **{f"mpii_{split}": f"annotations/mpii_{split}.json" for split in ("train", "val", "trainval")},
    "mpii_released": "mpii_human_pose_v1_u12_1.mat",
}


def register_mpii(name: str, annotation_file: str, image_root: str) -> None:
    """Register a .mat or .json file in MPII's format under ``name``. It is opened when the data set is first used."""
    register_pose_images(
        name,
        lambda: load_mpii(annotation_file, image_root),
        POSETRACK_18,
        annotation_file=annotation_file,
        image_root=image_root,
    )


def register_all_mpii(root: str) -> None:
    """Register MPII below the folder ``root``; names that exist already are left alone."""
    for name, path in _LAYOUT.items():
        if name not in DatasetCatalog:
            register_mpii(name, os.path.join(root, "mpii", path), os.path.join(root, "mpii", "images"))


def load_mpii(annotation_file: str, image_root: str) -> list[dict[str, Any]]:
    """Records (:mod:`pose_records`) of the images with people, in the order of the file.

    The released file says which joints are occluded; JSON does not, so all are visible.

    Raises:
        AnnotationError: the file is wrong; the message has the file and the path of the first problem.
        OSError: the file cannot be opened.
    """
    people: dict[str, list[np.ndarray]] = {}
    if Path(annotation_file).suffix == ".mat":
        for picture in read_mpii_mat(annotation_file):
            people.setdefault(picture.name, []).extend(person.pose for person in picture.people)
    else:
        content = read_json(annotation_file)
        try:
            for image, pose in _json_people(content):
                people.setdefault(image, []).append(pose)
        except AnnotationError as error:
            raise AnnotationError(f"{annotation_file}: {error}") from None
    people = {image: poses for image, poses in people.items() if poses}
    require(bool(people), annotation_file, "holds no person with joints")
    annotated = [index >= 0 for index in joint_indices(MPII_16.names, POSETRACK_18.names)]
    records = []
    for image, poses in people.items():
        converted = convert_keypoints(np.stack(poses), MPII_16, POSETRACK_18)
        path = path_inside(image_root, image, annotation_file)
        records.append(pose_record(path, image, list(converted), annotated))
    return records


def _json_people(content: Any) -> Iterator[tuple[str, np.ndarray]]:
    require(isinstance(content, list), "$", "must be a list of people")
    for i, person in enumerate(content):
        require(isinstance(person, dict), f"[{i}]", "must be an object")
        image, joints, visible = (person.get(key) for key in ("image", "joints", "joints_vis"))
        require(isinstance(image, str) and bool(image), f"[{i}].image", "must be a file's name")
        require(
            isinstance(joints, list)
            and len(joints) == len(MPII_16)
            and all(isinstance(p, list) and len(p) == 2 and all(map(is_finite, p)) for p in joints),
            f"[{i}].joints",
            f"must be {len(MPII_16)} pairs of finite numbers",
        )
        require(
            isinstance(visible, list) and len(visible) == len(MPII_16) and all(v in (0, 1) for v in visible),
            f"[{i}].joints_vis",
            f"must be {len(MPII_16)} times 0 or 1",
        )
        pose = np.column_stack([np.array(joints, dtype=np.float64) + SHIFT, 2 * np.array(visible)])
        yield str(image), pose * (pose[:, 2:] > 0)
