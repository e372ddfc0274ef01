"""Tracked clips as a PoseTrack submission, written, validated and read back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.association.poses import PoseClip, Tracks, pose_sequence, tracked_people
from ictrack.evaluation.metrics.posetrack.evaluate import evaluate_pose
from ictrack.evaluation.submission import PoseTrackWriter, read_posetrack_results, validate_posetrack
from ictrack.structures.joints import JointSet, submitted_poses
from ictrack.structures.pose_sequence import PoseSequence


def write_submission(
    folder: Path, tracks: Sequence[tuple[PoseClip, Tracks]], joints: JointSet, min_joint_score: float
) -> None:
    """Write ``folder/truth`` and ``folder/results``, one file a clip in each.

    Args:
        folder: Folder to write to.
        tracks: Clips and their tracks.
        joints: Joint set of the detector.
        min_joint_score: Smallest score of the joints that are kept; people without any are left out.
    """
    gt = folder / "truth"
    gt.mkdir(parents=True, exist_ok=True)
    writer = PoseTrackWriter(folder / "results")
    for clip, tracked in tracks:
        (gt / f"{clip.name}.json").write_text(json.dumps(clip.data))
        writer.start(clip.name, clip.data["images"])
        for index, (ids, keypoints) in enumerate(tracked_people(clip, tracked, joints)):
            poses, seen = submitted_poses(keypoints, joints, min_joint_score)
            writer.add(index, ids[seen].tolist(), poses[seen])
        writer.finish()


def check_submission(
    folder: Path, tracks: Sequence[tuple[PoseClip, Tracks]], joints: JointSet, min_joint_score: float
) -> dict[str, Any]:
    """Write a submission, validate it, and compare its scores in memory and read back. See :func:`write_submission`.

    Returns:
        "errors" and "warnings" (lines of the validator), "num_figures" (number of scores compared) and
        "largest_difference" (of scores as fractions).
    """
    write_submission(folder, tracks, joints, min_joint_score)
    gt = {clip.name: clip.gt for clip, _ in tracks}
    in_memory = {
        clip.name: _numbered_by_appearance(pose_sequence(clip, tracked, joints, min_joint_score))
        for clip, tracked in tracks
    }
    expected, read_back = (
        dict(_flat(evaluate_pose(gt, pred).scores)) for pred in (in_memory, read_posetrack_results(folder / "results"))
    )
    differences = [_difference(value, read_back[key]) for key, value in expected.items()]
    problems = list(validate_posetrack(folder / "truth", folder / "results"))
    return {
        "errors": [str(problem) for problem in problems if problem.severity == "error"],
        "warnings": [str(problem) for problem in problems if problem.severity == "warning"],
        "num_figures": len(differences),
        "largest_difference": max(differences),
    }


def _numbered_by_appearance(sequence: PoseSequence) -> PoseSequence:
    """Sequence with track ids as the writer numbers them; evaluation breaks ties by the smaller id."""
    numbers: dict[int, int] = {}
    for track_id in sequence.track_ids.tolist():
        numbers.setdefault(track_id, len(numbers))
    return replace(sequence, track_ids=np.array([numbers[i] for i in sequence.track_ids.tolist()], dtype=np.int64))


def _difference(a: float, b: float) -> float:
    return 0.0 if math.isnan(a) and math.isnan(b) else abs(a - b)


def _flat(scores: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, float]]:
    for key, value in scores.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value
