"""Masks of MOTSChallenge and KITTI MOTS: which of a tracker's results count, as TrackEval decides it.

Reference: TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``datasets/mots_challenge.py`` and ``kitti_mots.py``).
Each class is scored by itself. In each frame a result that is assigned to no mask of the ground truth (IoU >= 0.5) and
lies by more than half in a region in which nothing was annotated does not count. No pixel of a frame may
belong to two masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.json_files import AnnotationError, require
from ictrack.structures.rle import RLE
from ictrack.structures.youtube_vis_json import normalize_segmentations

from ..association.assignment import linear_sum_assignment
from ..association.relabel import rows_by_frame, sequence_of_ids
from ..association.tracked_sequence import TrackedSequence

_EPS = np.finfo(float).eps
_MIN_IOU = 0.5
_MAX_SHARE_IGNORED = 0.5
# Score of a pair that is no match; TrackEval's.
_NO_MATCH = -10000.0


@dataclass(frozen=True)
class MOTSBenchmark:
    """Rules of a benchmark.

    Attributes:
        first_frame: Number of a sequence's first frame; None: 0 or 1.
        classes: Number in files of each class by its name; empty: all of the ground truth.
    """

    first_frame: int | None
    classes: dict[str, int]


BENCHMARKS = {
    "MOTSChallenge": MOTSBenchmark(1, {"pedestrian": 2}),
    "KITTI-MOTS": MOTSBenchmark(0, {"car": 1, "pedestrian": 2}),
    "generic": MOTSBenchmark(None, {}),
}


@dataclass(frozen=True)
class MOTSRows:
    """N masks of a sequence, in the order of its file or files.

    Attributes:
        where: Name of the file, or of the folder of pictures.
        places: (N,) lines or pictures, for messages.
        frames, ids, classes: (N,) int64 numbers as in the file.
        ignored: (N,) bool, regions of a ground truth in which nothing was annotated.
        rles: (N,) encodings; after :func:`checked_rows` such as pycocotools compares.
        pictures: Numbers of the first and of the last picture, which may have no mask; None for text.
    """

    where: str
    places: Sequence[str]
    frames: np.ndarray
    ids: np.ndarray
    classes: np.ndarray
    ignored: np.ndarray
    rles: Sequence[RLE]
    pictures: tuple[int, int] | None = None

    def __len__(self) -> int:
        return len(self.places)

    @property
    def first_frame(self) -> int:
        """Number of the first frame with a picture or a mask; 1 if there is none."""
        return self.pictures[0] if self.pictures else min(self.frames.tolist(), default=1)

    @property
    def last_frame(self) -> int:
        """Number of the last frame with a picture or a mask; 0 if there is none."""
        return self.pictures[1] if self.pictures else max(self.frames.tolist(), default=0)

    def place(self, row: int) -> str:
        return f"{self.where}: {self.places[row]}"


def classes_of(gt: Sequence[MOTSRows], benchmark: MOTSBenchmark) -> dict[str, int]:
    """Numbers of the classes that a benchmark scores, by name."""
    if benchmark.classes:
        return benchmark.classes
    found = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(rows.classes[~rows.ignored] for rows in gt)]))
    return {f"class {number}": number for number in found.tolist()}


def checked_rows(rows: MOTSRows) -> MOTSRows:
    """Rows whose masks pycocotools can compare.

    Raises:
        AnnotationError: two masks of a frame overlap, have different sizes, or have one identity (except regions that
            are ignored). The message has the places.
    """
    rles, areas = normalize_segmentations(rows.rles, rows.places, [(1, 1)] * len(rows))
    rows = replace(rows, rles=rles)
    order = np.argsort(rows.frames, kind="stable")
    frames, first_of_frame = np.unique(rows.frames[order], return_index=True)
    for frame, members in zip(frames.tolist(), map(np.ndarray.tolist, np.split(order, first_of_frame[1:]))):
        sizes = {tuple(rles[i]["size"]) for i in members}
        require(len(sizes) == 1, rows.place(members[0]), f"frame {frame} has masks of the sizes {sorted(sizes)}")
        _check_overlap(rows, members, areas)
        seen: dict[int, int] = {}
        for i in members:
            if not rows.ignored[i]:
                first = seen.setdefault(int(rows.ids[i]), i)
                require(
                    first == i, rows.place(i), f"id {rows.ids[i]} is in frame {frame} already, {rows.places[first]}"
                )
    return rows


def mots_sequence(gt: MOTSRows, pred: MOTSRows, length: int | None, first_frame: int, class_id: int) -> TrackedSequence:
    """Masks of one video and class that count, and their IoU, of the frames that have masks.

    Args:
        gt, pred: Rows of :func:`checked_rows`.
        length: Number of frames; None: up to the last frame of either file.
        first_frame: Number of the first frame.
        class_id: Number of the class.

    Raises:
        AnnotationError: a frame is none of the sequence's, or the sizes of ground truth and results differ.
    """
    for rows in (gt, pred):
        wrong = (rows.frames < first_frame) | (length is not None and rows.frames >= first_frame + (length or 0))
        if wrong.any():
            row = int(np.argmax(wrong))
            known = (
                f"count from {first_frame}" if length is None else f"are {first_frame} to {first_frame + length - 1}"
            )
            text = f"frame {rows.frames[row]} is none of the sequence's, which {known}"
            raise AnnotationError(f"{rows.place(row)}: {text}")
    if length is None:
        length = max(int(rows.frames.max(initial=first_frame - 1)) for rows in (gt, pred)) - first_frame + 1
    frames = np.union1d(gt.frames, pred.frames)
    ignored = _members(gt, gt.ignored, frames)
    gt_ids, pred_ids, similarity = [], [], []
    for t, (in_gt, in_pred) in enumerate(
        zip(
            _members(gt, (gt.classes == class_id) & ~gt.ignored, frames),
            _members(pred, pred.classes == class_id, frames),
        )
    ):
        _check_sizes(gt, pred, np.concatenate([in_gt, ignored[t]]), in_pred)
        iou = mask_iou(gt, in_gt, pred, in_pred)
        stays = np.ones(len(in_pred), dtype=bool)
        if len(ignored[t]) and len(in_pred):
            region = mask_util.merge(_take(gt, ignored[t]), intersect=False)
            share = mask_util.iou(_take(pred, in_pred), [region], [1])[:, 0]
            stays = share <= _MAX_SHARE_IGNORED + _EPS
            stays[_matched(iou)] = True
        gt_ids.append(gt.ids[in_gt])
        pred_ids.append(pred.ids[in_pred][stays])
        similarity.append(iou[:, stays])
    return sequence_of_ids(gt_ids, pred_ids, similarity, length)


def mask_iou(gt: MOTSRows, in_gt: np.ndarray, pred: MOTSRows, in_pred: np.ndarray) -> np.ndarray:
    """IoU (G, D) of the masks of these rows."""
    if not (len(in_gt) and len(in_pred)):
        return np.zeros((len(in_gt), len(in_pred)))
    return mask_util.iou(_take(gt, in_gt), _take(pred, in_pred), [0] * len(in_pred))


def _matched(iou: np.ndarray) -> np.ndarray:
    """Columns that are assigned to a row of IoU >= 0.5."""
    score = np.where(iou < _MIN_IOU - _EPS, _NO_MATCH, iou)
    rows, columns = linear_sum_assignment(score, maximize=True)
    return columns[score[rows, columns] > _EPS]


def _take(rows: MOTSRows, index: Sequence[int] | np.ndarray) -> list[Any]:
    return [rows.rles[i] for i in np.asarray(index, dtype=np.int64).tolist()]


def _members(rows: MOTSRows, wanted: np.ndarray, frames: np.ndarray) -> list[np.ndarray]:
    """Rows where the mask ``wanted`` is true, of each of the frames, in their order."""
    members = np.flatnonzero(wanted)
    return [members[part] for part in rows_by_frame(rows.frames[members], frames)]


def _check_overlap(rows: MOTSRows, members: list[int], areas: np.ndarray) -> None:
    # Ignored regions may overlap each other: they are one, which is named by its first.
    ignored = [i for i in members if rows.ignored[i]]
    named = [*(i for i in members if not rows.ignored[i]), *ignored[:1]]
    masks = _take(rows, named)
    total = int(areas[named].sum())
    if ignored:
        masks[-1] = mask_util.merge(_take(rows, ignored), intersect=False)
        total += int(mask_util.area(masks[-1])) - int(areas[named[-1]])
    if len(masks) < 2 or int(mask_util.area(mask_util.merge(masks, intersect=False))) == total:
        return
    overlaps = np.triu(mask_util.iou(masks, masks, [0] * len(masks)), k=1)
    one, other = (named[k] for k in np.argwhere(overlaps > 0)[0])
    raise AnnotationError(
        f"{rows.place(other)}: the mask overlaps that of {rows.places[one]} in frame {rows.frames[one]}"
    )


def _check_sizes(gt: MOTSRows, pred: MOTSRows, in_gt: np.ndarray, in_pred: np.ndarray) -> None:
    if len(in_gt) and len(in_pred):
        expected, found = list(gt.rles[in_gt[0]]["size"]), list(pred.rles[in_pred[0]]["size"])
        require(expected == found, pred.place(in_pred[0]), f"size {found} is not that of the ground truth, {expected}")
