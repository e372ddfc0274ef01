"""Pairing of predicted frames with those of the ground truth."""

from __future__ import annotations

import re

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.pose_sequence import PoseSequence

# Names such as .../000342_mpii_test/000000.jpg, from which poseval takes the frame's id.
_POSETRACK_FILE_NAME = re.compile(r"(.*/)?\d+_(mpii|bonn|mpiinew)(_[^/]*)?/0*\d{1,4}(\.[^/]*)?")


def check_frames(gt: PoseSequence, pred: PoseSequence) -> None:
    """Raise AnnotationError if the predictions do not fit the frames of the ground truth."""
    where = pred.source or pred.name
    if gt.num_frames != pred.num_frames:
        raise AnnotationError(f"{where}: images: are {pred.num_frames}, but the ground truth has {gt.num_frames}")
    if not all(map(_POSETRACK_FILE_NAME.fullmatch, gt.file_names)):
        return  # a data set that poseval cannot read
    for i, name in enumerate(pred.file_names):
        if not _POSETRACK_FILE_NAME.fullmatch(name):
            raise AnnotationError(
                f"{where}: images[{i}].file_name: {name!r} does not look like "
                f"{gt.file_names[i]!r}, as PoseTrack's evaluation needs it"
            )


def order_by_name(gt: PoseSequence, pred: PoseSequence) -> list[int] | None:
    """Index of the predicted frame with the same image name for each ground-truth frame; None if names differ."""
    position = {name.rpartition("/")[2]: i for i, name in enumerate(pred.file_names)}
    names = [name.rpartition("/")[2] for name in gt.file_names]
    if len(set(names)) < len(names) or position.keys() != set(names):
        return None
    return [position[name] for name in names]
