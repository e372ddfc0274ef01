"""Boxes of MOTChallenge: which of a ground truth and of a tracker's results count, as TrackEval decides it.

Reference: TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``datasets/mot_challenge_2d_box.py``), the official tool
of MOT15, MOT16, MOT17 and MOT20, with which DanceTrack and SportsMOT are scored as well. In each frame

1. results are assigned to all boxes of the ground truth, of IoU >= 0.5 and with the highest sum of IoU; those assigned
   to a distractor (a person on a vehicle, a static person, a reflection, ...) do not count;
2. of the ground truth pedestrians count that are not marked with 0; marks are cut off to whole numbers.

A benchmark without distractors has no first step, and all boxes that are not marked with 0 count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ictrack.structures.json_files import require
from ictrack.structures.mot_text import MOTRows, duplicate_ids

from ..association.overlap import box_iou, match
from ..association.relabel import rows_by_frame, sequence_of_ids
from ..association.tracked_sequence import TrackedSequence

PEDESTRIAN = 1
# Classes of MOT16, MOT17 and MOT20, see motchallenge.net and TrackEval.
_CLASSES = range(1, 14)
# Person on a vehicle, static person, distractor, reflection.
_DISTRACTORS = frozenset({2, 7, 8, 12})
_NON_MOT_VEHICLE = 6


@dataclass(frozen=True)
class MOTBenchmark:
    """Rules of a benchmark.

    Attributes:
        distractors: Classes whose boxes take results out of the count; empty: the ground truth's classes do not matter.
        pedestrians_only: Whether results of another class than 1 are refused.
    """

    distractors: frozenset[int] = frozenset()
    pedestrians_only: bool = True


BENCHMARKS = {
    "MOT15": MOTBenchmark(pedestrians_only=False),  # its rows have world coordinates where others have a class
    "MOT16": MOTBenchmark(_DISTRACTORS),
    "MOT17": MOTBenchmark(_DISTRACTORS),
    "MOT20": MOTBenchmark(_DISTRACTORS | {_NON_MOT_VEHICLE}),
    "DanceTrack": MOTBenchmark(),
    "SportsMOT": MOTBenchmark(),
    "AnimalTrack": MOTBenchmark(pedestrians_only=False),
    "generic": MOTBenchmark(pedestrians_only=False),
}


def mot_sequence(gt: MOTRows, pred: MOTRows, length: int | None, benchmark: MOTBenchmark) -> TrackedSequence:
    """Boxes of one video that count, and their IoU, of the frames that have rows.

    Args:
        gt, pred: Rows of the ground truth and of the results.
        length: Number of frames; None: up to the last frame of either file.
        benchmark: Rules.

    Raises:
        AnnotationError: an identity is twice in a frame or negative, a frame is beyond the video's length, the ground
            truth has no mark, or a class is none of the benchmark's. The message has file and line.
    """
    if length is None:
        length = max(int(rows.frames.max(initial=0)) for rows in (gt, pred))
    for rows in (gt, pred):
        rows.refuse(rows.frames > length, f"a frame beyond the sequence's {length}")
        rows.refuse(rows.ids < 0, "a negative id is that of a detection without a track")
        rows.refuse(duplicate_ids(rows), "this id is in this frame already")
    marks = gt.scores
    if marks is None:
        require(len(gt) == 0, gt.where, "rows of a ground truth need a seventh number, 0 for boxes that do not count")
        marks = np.zeros(0)
    counts = _whole(marks) != 0
    is_distractor = np.zeros(len(gt), dtype=bool)
    if benchmark.distractors:
        classes = gt.classes()
        if classes is None:
            require(len(gt) == 0, gt.where, "rows of this benchmark's ground truth need a class, the eighth number")
            classes = np.zeros(0, dtype=np.int64)
        gt.refuse(
            ~np.isin(classes, _CLASSES), "a class that is none of the benchmark's, 1 to 13 (MOT15 and others have none)"
        )
        is_distractor = np.isin(classes, list(benchmark.distractors))
        counts &= classes == PEDESTRIAN
    if benchmark.pedestrians_only and (pred_classes := pred.classes()) is not None:
        pred.refuse(pred_classes > PEDESTRIAN, "only pedestrians are scored, class 1")

    gt_ids, pred_ids, similarity = [], [], []
    frames = np.union1d(gt.frames, pred.frames)
    for in_gt, in_pred in zip(rows_by_frame(gt.frames, frames), rows_by_frame(pred.frames, frames)):
        iou = box_iou(gt.boxes[in_gt], pred.boxes[in_pred])
        stays = np.ones(len(in_pred), dtype=bool)
        if is_distractor[in_gt].any():
            matched_gt, matched_pred = match(iou)
            stays[matched_pred[is_distractor[in_gt][matched_gt]]] = False
        gt_ids.append(gt.ids[in_gt][counts[in_gt]])
        pred_ids.append(pred.ids[in_pred][stays])
        similarity.append(iou[counts[in_gt]][:, stays])
    return sequence_of_ids(gt_ids, pred_ids, similarity, length)


def lost_marks(gt: MOTRows) -> np.ndarray:
    """Rows (K,) of a ground truth whose mark is not 0, but cut off to it."""
    marks = np.zeros(len(gt)) if gt.scores is None else gt.scores
    return np.flatnonzero((marks != 0) & (_whole(marks) == 0))


def _whole(marks: np.ndarray) -> np.ndarray:
    return marks.astype(np.int64)
