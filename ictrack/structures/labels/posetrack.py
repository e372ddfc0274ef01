"""PoseTrack18's and PoseTrack21's JSON: a file a video, see :mod:`ictrack.structures.posetrack_json`.

The third number of a joint is 1, or 0 beside coordinates for a hidden joint, as in PoseTrack21.
"""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..atomic_file import new_folder, replacing
from ..frame_tracks import VideoInfo
from ..joints import POSETRACK_18
from ..json_files import AnnotationError, is_int, read_json
from ..posetrack_json import ignore_regions, parse_pose_sequence, sequence_name
from ..track_formats.boxes import to_xywh
from ..track_formats.rows import FrameFacts, LabeledVideo, Row
from .frames import files_of_videos, listed_frames, picture_path
from .label_set import LabelSet

SUFFIXES = (".json", ".json.gz")
_PERSON = "person"
# Ids of images are 1, six digits of the video and four of the frame.
_FIRST_ID, _IDS_PER_VIDEO = 10**10, 10**4
_PEOPLE_PER_FRAME = 100


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of files, or of one file."""
    return [_read(file) for file in files_of_videos(path, SUFFIXES)]


def _read(path: Path) -> LabeledVideo:
    data = read_json(path)
    parse_pose_sequence(data, path.name, is_ground_truth=False, source=str(path))  # checks all but what follows
    images, names = data["images"], data["categories"][0]["keypoints"]
    folder = str(PurePosixPath(images[0]["file_name"]).parent) if images else None
    info = VideoInfo(sequence_name(path.name), 0, 0, 0.0, (), (), tuple(names))
    video = LabeledVideo(str(path), info, {1: _PERSON}, folder=folder)
    positions = {}
    for index, image in enumerate(images):
        positions[image["id"]] = index
        size = (image.get("height"), image.get("width"))
        video.frames[index] = FrameFacts(
            PurePosixPath(image["file_name"]).name,
            size=size if is_int(size[0]) and is_int(size[1]) else None,
            is_labeled=bool(image.get("is_labeled", True)),
            ignore_regions=ignore_regions(image, f"{path}: images[{index}]"),
        )
    for number, person in enumerate(data["annotations"]):
        video.add(positions[person["image_id"]], _row(person, f"{path}: annotations[{number}]"))
    return video


def _row(person: dict[str, Any], where: str) -> Row:
    joints = np.array(person["keypoints"], dtype=np.float64).reshape(-1, 3)
    present = (joints != 0).any(axis=1)
    hidden = present & (joints[:, 2] == 0)
    scores = np.where(present, np.array(person.get("scores") or np.ones(len(joints))), 0.0)
    return Row(
        1,
        box=_corners(person.get("bbox"), where),
        track_id=person["track_id"],
        keypoints=np.column_stack([joints[:, :2], scores]),
        occluded=hidden if hidden.any() else None,
        head_box=_corners(person.get("bbox_head"), where),
    )


def _corners(box: Any, where: str) -> tuple[float, ...] | None:
    """Corners of a box x, y, width, height, which may be missing."""
    if not isinstance(box, list) or len(box) != 4:
        return None
    try:
        x, y, width, height = map(float, box)
    except (TypeError, ValueError, OverflowError):
        raise AnnotationError(f"{where}: a box must be 4 numbers, not {box}") from None
    return (x, y, x + width, y + height)


def write(path: Path, labels: LabelSet) -> None:
    """Write a file, for one video under a name with the suffix, or else a folder of files."""
    if path.suffix == SUFFIXES[0] and len(labels.videos) == 1:
        _write(path, labels.videos[0], 1)
        return
    with new_folder(path) as part:
        for number, video in enumerate(labels.videos, 1):
            _write(part / f"{video.info.name}{SUFFIXES[0]}", video, number)


def _write(path: Path, video: LabeledVideo, number: int) -> None:
    stated = re.match(r"\d{6}", video.info.name)
    number = int(stated[0]) if stated else number
    frames = listed_frames(video)
    first_id = _FIRST_ID + number * _IDS_PER_VIDEO
    images = [_image(video, index, first_id + i, number, len(frames)) for i, index in enumerate(frames)]
    people = [
        {"id": image["id"] * _PEOPLE_PER_FRAME + k, "image_id": image["id"], **_person(row)}
        for index, image in zip(frames, images)
        for k, row in enumerate(video.rows.get(index, ()))
    ]
    limbs = [[a + 1, b + 1] for a, b in POSETRACK_18.limbs]
    category = {"supercategory": _PERSON, "id": 1, "name": _PERSON, "keypoints": list(POSETRACK_18.names)}
    content = {"images": images, "annotations": people, "categories": [{**category, "skeleton": limbs}]}
    with replacing(path) as file:
        file.write(json.dumps(content).encode("ascii"))


def _image(video: LabeledVideo, index: int, image_id: int, number: int, num_frames: int) -> dict[str, Any]:
    facts = video.facts(index)
    image: dict[str, Any] = {
        "id": image_id,
        "frame_id": image_id,
        "file_name": picture_path(video, index),
        "vid_id": f"{number:06d}",
        "nframes": num_frames,
        "is_labeled": facts.is_labeled,
    }
    if facts.size and all(facts.size):
        image["height"], image["width"] = facts.size
    if facts.ignore_regions:
        image["ignore_regions_x"] = [region[:, 0].tolist() for region in facts.ignore_regions]
        image["ignore_regions_y"] = [region[:, 1].tolist() for region in facts.ignore_regions]
    return image


def _person(row: Row) -> dict[str, Any]:
    assert row.keypoints is not None
    scores = row.keypoints[:, 2]
    joints = np.where(scores[:, None] > 0, row.keypoints, 0.0)
    joints[:, 2] = (scores > 0) & (True if row.occluded is None else ~row.occluded)
    person: dict[str, Any] = {"category_id": 1, "track_id": row.track_id, "keypoints": joints.ravel().tolist()}
    if not set(scores.tolist()) <= {0.0, 1.0}:
        person["scores"] = scores.tolist()
    for key, box in (("bbox", row.box), ("bbox_head", row.head_box)):
        if box is not None:
            person[key] = to_xywh(np.array([box], dtype=np.float64))[0].tolist()
    return person
