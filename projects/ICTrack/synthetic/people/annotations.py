"""Annotations of people: COCO keypoints of images, PoseTrack18 files of clips.

Joints are projections of the skeleton. In COCO's files the visibility of a joint in the image is 2 where it is seen and
1 where it is hidden by the own body or anything else, and coordinates are those of pixel centers. PoseTrack's files
have the joints in the image that no other person or thing hides, and coordinates are continuous.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from ictrack.structures.joints import COCO_17, POSETRACK_18, JointSet
from ictrack.structures.rle import encode_mask
from synthetic.characters.output import Record

from .scene import JOINTS, Observation

INFO = {
    "description": "ICTrack synthetic people. Scores on them say nothing about COCO or PoseTrack.",
    "version": "1",
}
# Smallest visible share of a person; below it a person has no joints in images and is ignored in clips.
MIN_VISIBLE_SHARE = 0.2
_PERSON_ID = 1
_UNUSED = ("left_ear", "right_ear")  # of PoseTrack18's slots
# Ids of images are 1 digit of the source, 6 of the sequence and 4 of the frame; 1 to 3 are PoseTrack's own sources.
_SOURCE = 9
MAX_LENGTH = 10_000
_MAX_PEOPLE = 100


def is_hidden(person: Observation) -> bool:
    """Whether less than MIN_VISIBLE_SHARE of a person is visible."""
    return bool(np.count_nonzero(person.mask) < MIN_VISIBLE_SHARE * person.outline_area)


def coco_person(person: Observation) -> Record:
    """COCO annotation of a person, without ids."""
    order = [JOINTS.index(name) for name in COCO_17.names]
    visibility = np.where(person.figure.unhidden & ~person.covered, 2, 1) * person.in_image
    visibility = visibility[order] * (not is_hidden(person))
    keypoints = np.column_stack([person.figure.joints[order] - 0.5, visibility])
    keypoints[visibility == 0] = 0
    return {
        "category_id": _PERSON_ID,
        "iscrowd": 0,
        "bbox": list(person.outline_box),
        "area": int(np.count_nonzero(person.mask)),
        "segmentation": encode_mask(person.mask),
        "keypoints": np.round(keypoints, 2).ravel().tolist(),
        "num_keypoints": int(np.count_nonzero(visibility)),
    }


def coco_file(records: list[Record]) -> Record:
    """COCO file of images; each record has an ``image`` and its ``people``."""
    images = [{"id": i, **record["image"]} for i, record in enumerate(records, start=1)]
    rows = [(i, person) for i, record in enumerate(records, start=1) for person in record["people"]]
    annotations = [{"id": n, "image_id": i, **person} for n, (i, person) in enumerate(rows, start=1)]
    return {"info": INFO, "images": images, "annotations": annotations, "categories": [_category(COCO_17)]}


def posetrack_frame(
    people: list[Observation], sequence: int, time: int, min_visible: int
) -> tuple[Record, list[Record]]:
    """Image entry of a clip's frame, without file name, and the annotations of its people.

    Args:
        people: People in the order of their track ids.
        sequence: Number of the clip, from 1.
        time: Number of the frame, from 0.
        min_visible: Smallest number of visible pixels of annotated people.
    """
    image_id = (_SOURCE * 1_000_000 + sequence) * MAX_LENGTH + time
    rows: list[Record] = []
    ignored: list[np.ndarray] = []
    for track_id, person in enumerate(people):
        if np.count_nonzero(person.mask) < min_visible:
            continue
        keypoints = _posetrack_keypoints(person)
        if is_hidden(person) or not keypoints.any():
            ignored += _outlines(person.mask)
            continue
        rows.append({
            "id": image_id * _MAX_PEOPLE + track_id,
            "image_id": image_id,
            "track_id": track_id,
            "person_id": sequence * _MAX_PEOPLE + track_id,
            "category_id": _PERSON_ID,
            "iscrowd": False,
            "bbox": list(person.outline_box),
            "bbox_head": [round(v, 2) for v in person.figure.head_box],
            "keypoints": keypoints.ravel().tolist(),
            "num_keypoints": int(np.count_nonzero(keypoints[:, 2])),
            "scores": [],
        })  # fmt: skip
    image = {
        "id": image_id,
        "frame_id": image_id,
        "vid_id": f"{sequence:06d}",
        "is_labeled": True,
        "has_no_densepose": True,
        "ignore_regions_x": [outline[:, 0].tolist() for outline in ignored],
        "ignore_regions_y": [outline[:, 1].tolist() for outline in ignored],
    }
    return image, rows


def posetrack_file(images: list[Record], annotations: list[Record]) -> Record:
    """PoseTrack18 file of a clip."""
    images = [{**image, "nframes": len(images)} for image in images]
    return {"images": images, "annotations": annotations, "categories": [_category(POSETRACK_18)]}


def subsample_posetrack(data: Record, skip: int, first: int = 0) -> Record:
    """PoseTrack18 file of every ``skip``-th frame (at least 1) of a clip, from frame ``first``."""
    if skip < 1:
        raise ValueError(f"skip is {skip}; it must be at least 1")
    images = data["images"][first::skip]
    kept = {image["id"] for image in images}
    return posetrack_file(images, [person for person in data["annotations"] if person["image_id"] in kept])


def _posetrack_keypoints(person: Observation) -> np.ndarray:
    """(17, 3) keypoints, zeros for absent joints."""
    order = [JOINTS.index(name) for name in POSETRACK_18.names]
    present = (person.in_image & ~person.covered)[order]
    present &= [name not in _UNUSED for name in POSETRACK_18.names]
    keypoints = np.column_stack([np.round(person.figure.joints[order], 2), np.ones(len(order))])
    return np.where(present[:, None], keypoints, 0.0)


def _outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Polygons (V, 2) around the pieces of a mask, through the centers of their outermost pixels."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [contour[:, 0] + 0.5 for contour in contours if len(contour) >= 3]


def _category(joints: JointSet) -> dict[str, Any]:
    return {
        "id": _PERSON_ID,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(joints.names),
        "skeleton": [[a + 1, b + 1] for a, b in joints.limbs],
    }
