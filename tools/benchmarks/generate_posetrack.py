"""Synthetic ground truth and predictions in PoseTrack18 format, of any size, for benchmarks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.structures.joints import POSETRACK_18

# Joints of POSETRACK_18 in a person of height 1, with the middle of the hips at (0, 0), y down.
_POSE = np.array([
    (0, -0.42), (0, -0.34), (0, -0.5), (0, 0), (0, 0), (0.12, -0.32), (-0.12, -0.32), (0.17, -0.15), (-0.17, -0.15),
    (0.18, 0), (-0.18, 0), (0.08, 0), (-0.08, 0), (0.09, 0.22), (-0.09, 0.22), (0.1, 0.45), (-0.1, 0.45),
])  # fmt: skip
_EARS = [POSETRACK_18.index("left_ear"), POSETRACK_18.index("right_ear")]


@dataclass(frozen=True)
class PoseTrackCase:
    """Size of a case.

    Attributes:
        num_sequences: Number of files.
        people, frames: Smallest and largest number in a sequence; all frames are labeled.
        height, width: Size of the frames in pixels.
    """

    num_sequences: int = 70
    people: tuple[int, int] = (2, 25)
    frames: tuple[int, int] = (30, 100)
    height: int = 720
    width: int = 1280


def write_posetrack_case(case: PoseTrackCase, folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write ``gt/`` and ``predictions/``, a file a sequence; returns both. The same seed gives the same bytes.

    Predictions are noisy copies of the people, with gaps and switched identities, and as many false ones.
    """
    rng = np.random.default_rng(seed)
    paths = (folder / "gt", folder / "predictions")
    for path in paths:
        path.mkdir(parents=True)
    for number in range(1, case.num_sequences + 1):
        name = f"{number:06d}_mpii_test"
        num_frames = int(rng.integers(case.frames[0], case.frames[1] + 1))
        num_people = int(rng.integers(case.people[0], case.people[1] + 1))
        images = [
            {
                "has_no_densepose": True,
                "is_labeled": True,
                "file_name": f"images/val/{name}/{frame:06d}.jpg",
                "nframes": num_frames,
                "frame_id": 10_000_000_000 + 10_000 * number + frame,
                "vid_id": f"{number:06d}",
                "id": 10_000_000_000 + 10_000 * number + frame,
            }
            for frame in range(num_frames)
        ]
        gt = _people(rng, num_people, num_frames, case)
        false = _people(rng, num_people, num_frames, case)
        people = (_ground_truth(rng, gt, images), _predictions(rng, gt, false, images))
        for path, annotated in zip(paths, people):
            content = {"images": images, "annotations": annotated, "categories": [_category()]}
            (path / f"{name}.json").write_text(json.dumps(content))
    return paths


def _category() -> dict[str, Any]:
    skeleton = [[a + 1, b + 1] for a, b in POSETRACK_18.limbs]
    return {"supercategory": "person", "id": 1, "name": "person", "keypoints": list(POSETRACK_18.names),
            "skeleton": skeleton}  # fmt: skip


def _people(rng: np.random.Generator, count: int, num_frames: int, case: PoseTrackCase) -> np.ndarray:
    """Joints (T, N, 17, 2) in pixels of people who walk, their limbs swinging."""
    frames = np.arange(num_frames)[:, None, None, None]
    start = rng.uniform(0.1, 0.9, (1, count, 1, 2)) * np.array([case.width, case.height])
    heights = rng.uniform(0.15, 0.5, (1, count, 1, 1)) * case.height
    swing = 0.03 * np.sin(frames / 4 + rng.uniform(0, 6, (1, count, _POSE.shape[0], 2)))
    return start + frames * rng.normal(0, 2, (1, count, 1, 2)) + heights * (_POSE + swing)


def _ground_truth(rng: np.random.Generator, people: np.ndarray, images: list[dict[str, Any]]) -> list[dict[str, Any]]:
    annotations = []
    for joints, image in zip(people, images):
        for track in np.flatnonzero(rng.random(len(joints)) < 0.7).tolist():
            seen = rng.random(len(joints[track])) < 0.85
            left, top = joints[track].min(axis=0)
            right, bottom = joints[track].max(axis=0)
            side = 0.15 * (bottom - top)
            annotations.append(
                {
                    "bbox_head": _rounded([joints[track, 0, 0] - side / 2, top, side, side]),
                    "keypoints": _flat(joints[track], seen),
                    "track_id": track,
                    "image_id": image["id"],
                    "bbox": _rounded([left, top, right - left, bottom - top]),
                    "scores": [],
                    "category_id": 1,
                    "id": 100 * image["id"] + track,
                }
            )
    return annotations


def _predictions(
    rng: np.random.Generator, people: np.ndarray, false: np.ndarray, images: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    annotations = []
    num_people = people.shape[1]
    identities = np.arange(2 * num_people)
    for true_joints, false_joints, image in zip(people, false, images):
        if rng.random() < 0.1:
            a, b = rng.integers(num_people, size=2)
            identities[[a, b]] = identities[[b, a]]
        joints = np.concatenate([true_joints + rng.normal(0, 6, true_joints.shape), false_joints])
        shown = rng.random(2 * num_people) < np.repeat([0.9, 0.6], num_people)
        for row in np.flatnonzero(shown).tolist():
            seen = rng.random(len(joints[row])) < 0.95
            annotations.append(
                {
                    "image_id": image["id"],
                    "category_id": 1,
                    "track_id": int(identities[row]),
                    "keypoints": _flat(joints[row], seen),
                    "scores": _rounded(np.where(seen, rng.uniform(0.1, 1, len(seen)), 0), digits=6),
                }
            )
    return annotations


def _flat(joints: np.ndarray, seen: np.ndarray) -> list[float]:
    """[x, y, 1, ...] of the 17 joints, zeros for joints that are not visible and for the ears."""
    keypoints = np.concatenate([np.round(joints, 2), np.ones((len(joints), 1))], axis=1)
    keypoints[~seen] = 0
    keypoints[_EARS] = 0
    return keypoints.ravel().tolist()


def _rounded(values: Any, digits: int = 2) -> list[float]:
    return np.round(np.asarray(values, dtype=float), digits).tolist()
