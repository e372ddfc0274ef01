"""Labeled frames of PoseTrack 2017, 2018 and 2021 as training images.

``posetrack18_train_images`` and ``posetrack21_train_images`` are registered below ``DETECTRON2_DATASETS``, in the
folders of :mod:`.posetrack`. Files of PoseTrack17, whose ``annolist`` has an entry a frame, may lie in any folder:
:func:`register_posetrack_images`.

Coordinates are taken as they are, as PoseTrack's evaluation compares them with predictions. People in ignore regions
are not labeled, and a detector is not told.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog

from ictrack.structures.inside_folder import path_inside
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18, convert_keypoints, joint_indices
from ictrack.structures.json_files import AnnotationError, is_finite, read_json, require
from ictrack.structures.posetrack_json import parse_pose_sequence, sequence_name

from .pose_records import pose_record, register_pose_images
from .posetrack import posetrack_files

_LAYOUTS = {
    "posetrack18_train_images": ("posetrack18", "annotations/train"),
    "posetrack21_train_images": ("PoseTrack21", "posetrack_data/train"),
}
# Labeled frames of a sequence: (image, people (N, 15, 3) in the order of POSETRACK_15).
_Frames = list[tuple[str, np.ndarray]]


def register_posetrack_images(name: str, annotation_folder: str, image_root: str) -> None:
    """Register the labeled frames of a folder of sequences under ``name``, with the joints of PoseTrack18.

    Args:
        annotation_folder: Folder with a ``.json`` or ``.json.gz`` a sequence.
        image_root: Folder that the files' image names are relative to.
    """
    register_pose_images(
        name,
        lambda: load_posetrack_images(annotation_folder, image_root),
        POSETRACK_18,
        annotation_folder=annotation_folder,
        image_root=image_root,
    )


def register_all_posetrack_images(root: str) -> None:
    """Register the public data sets below the folder ``root``; names that exist already are left alone."""
    for name, (folder, annotation_folder) in _LAYOUTS.items():
        if name not in DatasetCatalog:
            image_root = os.path.join(root, folder)
            register_posetrack_images(name, os.path.join(image_root, annotation_folder), image_root)


def load_posetrack_images(annotation_folder: str, image_root: str) -> list[dict[str, Any]]:
    """Records (:mod:`pose_records`) of all labeled frames, in the order of the sequences' names.

    Raises:
        AnnotationError: the file is wrong; the message has its name and the JSON path.
    """
    annotated = [index >= 0 for index in joint_indices(POSETRACK_15.names, POSETRACK_18.names)]
    records = []
    for path in posetrack_files(annotation_folder):
        for image, people in _frames(path):
            poses = list(convert_keypoints(people, POSETRACK_15, POSETRACK_18))
            records.append(pose_record(path_inside(image_root, image, str(path)), image, poses, annotated))
    return records


def _frames(path: Path) -> _Frames:
    data = read_json(path)
    if isinstance(data, dict) and "annolist" in data:
        try:
            return _frames_2017(data["annolist"])
        except AnnotationError as error:
            raise AnnotationError(f"{path}: {error}") from None
    sequence = parse_pose_sequence(data, sequence_name(path.name), is_ground_truth=True, source=str(path))
    poses = np.concatenate([sequence.keypoints, 2.0 * sequence.present[..., None]], axis=2)
    return [
        (file_name, poses[sequence.frames == frame])
        for frame, file_name in enumerate(sequence.file_names)
        if sequence.is_labeled[frame]
    ]


def _frames_2017(annolist: Any) -> _Frames:
    require(isinstance(annolist, list), "annolist", "must be a list of frames")
    frames = []
    for i, frame in enumerate(annolist):
        where = f"annolist[{i}]"
        require(isinstance(frame, dict), where, "must be an object")
        if _only(frame.get("is_labeled", [1]), f"{where}.is_labeled") != 1:
            continue
        image = _only(frame.get("image"), f"{where}.image")
        name = image.get("name") if isinstance(image, dict) else None
        require(isinstance(name, str) and bool(name), f"{where}.image[0].name", "must be a file's name")
        people = frame.get("annorect", [])
        require(isinstance(people, list), f"{where}.annorect", "must be a list of people")
        poses = [_pose_2017(person, f"{where}.annorect[{k}]") for k, person in enumerate(people)]
        frames.append((str(name), np.array(poses).reshape(-1, len(POSETRACK_15), 3)))
    return frames


def _pose_2017(person: Any, where: str) -> np.ndarray:
    require(isinstance(person, dict), where, "must be an object")
    pose = np.zeros((len(POSETRACK_15), 3))
    if not person.get("annopoints"):
        return pose
    where = f"{where}.annopoints"
    container = _only(person["annopoints"], where)
    points: Any = container.get("point") if isinstance(container, dict) else None
    require(isinstance(points, list), f"{where}[0].point", "must be a list of joints")
    for n, point in enumerate(points):
        here = f"{where}[0].point[{n}]"
        require(isinstance(point, dict), here, "must be an object")
        joint, x, y = (_only(point.get(key), f"{here}.{key}") for key in ("id", "x", "y"))
        require(joint in range(len(POSETRACK_15)), f"{here}.id", f"must be below {len(POSETRACK_15)}, not {joint!r}")
        require(is_finite(x) and is_finite(y), here, "x and y must be finite numbers")
        pose[int(joint)] = x, y, 2
    return pose


def _only(value: Any, where: str) -> Any:
    """Entry of a list of one, in which the format wraps every value."""
    require(isinstance(value, list) and len(value) == 1, where, "must be a list of one entry")
    return value[0]
