"""A data set in PoseTrack18 format with two people who walk apart, written to a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ictrack.structures.joints import POSETRACK_18

HEIGHT, WIDTH = 60, 120
# sequence -> frames
LENGTHS = {"000002_bonn_test": 4, "000001_mpii_test": 3}
HEAD_BOX = 10.0


def true_poses(sequence: str, frame: int) -> list[tuple[int, np.ndarray]]:
    """(person, joints (17, 2)) of a frame; one is away in the sequence's second frame."""
    shape = np.stack([np.arange(17) % 5 * 3.0, np.arange(17) // 5 * 8.0], axis=1)
    start = [(20.0, 8.0), (70.0, 20.0)]
    speed = [(1.0, 0.0), (2.0, 1.0)]
    people = range(1 if frame == 1 else 2)
    return [(person, shape + start[person] + frame * np.array(speed[person])) for person in people]


def sequence_file(sequence: str, labeled: bool = True) -> dict[str, Any]:
    number = int(sequence.split("_")[0])
    ids = [10_000_000_000 + 10_000 * number + frame for frame in range(LENGTHS[sequence])]
    images = [
        {"id": i, "frame_id": i, "vid_id": sequence[:6], "nframes": len(ids), "is_labeled": True,
         "file_name": f"images/val/{sequence}/{frame:06d}.jpg"}
        for frame, i in enumerate(ids)
    ]  # fmt: skip
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(POSETRACK_18.names)}
    data: dict[str, Any] = {"images": images, "categories": [category]}
    if labeled:
        data["annotations"] = [
            {"id": 100 * image_id + person, "image_id": image_id, "track_id": person, "category_id": 1, "scores": [],
             "bbox": [*joints.min(axis=0).tolist(), *np.ptp(joints, axis=0).tolist()],
             "bbox_head": [*joints[0].tolist(), HEAD_BOX, HEAD_BOX],
             "keypoints": _annotated(joints)}
            for frame, image_id in enumerate(ids)
            for person, joints in true_poses(sequence, frame)
        ]  # fmt: skip
    return data


def _annotated(joints: np.ndarray) -> list[float]:
    keypoints = np.concatenate([joints, np.ones((17, 1))], axis=1)
    keypoints[[POSETRACK_18.index("left_ear"), POSETRACK_18.index("right_ear")]] = 0
    return keypoints.ravel().tolist()


def write_dataset(root: Path, labeled: bool = True) -> tuple[str, str]:
    """Write annotation files and frames below ``root``; returns the annotation folder and the images' root."""
    folder = root / "annotations"
    folder.mkdir(parents=True)
    for position, sequence in enumerate(LENGTHS):
        data = sequence_file(sequence, labeled)
        (folder / f"{sequence}.json").write_text(json.dumps(data))
        for frame, image in enumerate(data["images"]):
            path = root / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 60 * position + 10 * frame, dtype=np.uint8))
    return str(folder), str(root)
