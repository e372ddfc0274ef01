"""What labels have that a file format may lack, and how it is left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from pycocotools import mask as mask_util

from ..mots_text import without_overlaps
from ..track_formats.rows import LabeledVideo, Row
from ..tracks import elected_class
from .label_set import LabelSet

# Pixels, and share of its side, by which a box may differ from that of its mask: polygons end between pixels, and an
# acute corner covers none.
_BOX_TOLERANCE, _SIDE_TOLERANCE = 1.0, 0.1


@dataclass(frozen=True)
class Feature:
    """Something that labels may have.

    Attributes:
        text: What it is, in words, in the plural.
        count: Function of labels: how many objects, frames or tracks have it.
        drop: Function that leaves it out of labels, in place.
    """

    text: str
    count: Callable[[LabelSet], int]
    drop: Callable[[LabelSet], None]


def _of_rows(text: str, has: Callable[[Row], bool], drop: Callable[[Row], None]) -> Feature:
    def drop_all(labels: LabelSet) -> None:
        for row in labels.rows():
            if has(row):
                drop(row)

    return Feature(text, lambda labels: sum(map(has, labels.rows())), drop_all)


def _has_own_box(row: Row) -> bool:
    """Whether a box beside a mask or a pose is another than theirs."""
    derived = row.derived_extent()
    if row.box is None or derived is None:
        return False
    sides = np.subtract(row.box[2:], row.box[:2])
    tolerance = np.maximum(_BOX_TOLERANCE, _SIDE_TOLERANCE * np.tile(sides, 2))
    return bool((np.abs(np.subtract(row.box, derived)) > tolerance).any())


def _drop_crowds(labels: LabelSet) -> None:
    labels.keep_rows(lambda row: not row.is_crowd)


def _drop_mask(row: Row) -> None:
    row.box, row.rle = row.extent(), None


def _drop_pose(row: Row) -> None:
    if row.rle is None:
        row.box = row.extent()
    row.keypoints = row.occluded = None


def _is_empty(row: Row) -> bool:
    return row.rle is not None and not int(mask_util.area(row.rle))


def _drop_empty_masks(labels: LabelSet) -> None:
    """Objects that are nothing else are left out altogether."""
    labels.keep_rows(lambda row: not _is_empty(row) or row.keypoints is not None or _has_own_box(row))
    for row in labels.rows():
        row.rle = None if _is_empty(row) else row.rle


def _has_joint_scores(row: Row) -> bool:
    return row.keypoints is not None and not set(row.keypoints[:, 2].tolist()) <= {0.0, 1.0}


def _drop_joint_scores(row: Row) -> None:
    assert row.keypoints is not None
    row.keypoints = np.column_stack([row.keypoints[:, :2], row.keypoints[:, 2] > 0])


def _overlaps(video: LabeledVideo) -> Iterator[list[Row]]:
    """Rows with masks of the frames in which two of them share a pixel."""
    for rows in video.rows.values():
        masked = [row for row in rows if row.rle is not None]
        rles = [row.rle or {} for row in masked]
        if len(rles) > 1 and int(mask_util.area(mask_util.merge(rles))) < int(mask_util.area(rles).sum()):
            yield masked


def _drop_overlaps(labels: LabelSet) -> None:
    """A pixel of several masks goes to the one of the highest score; a mask without pixels is left out."""
    lost: set[int] = set()
    for video in labels.videos:
        for rows in _overlaps(video):
            separate = without_overlaps([row.rle or {} for row in rows], [row.score for row in rows])
            for row, rle in zip(rows, separate):
                row.rle = rle
                if rle is None:
                    lost.add(id(row))
    labels.keep_rows(lambda row: id(row) not in lost)


def _tracks(labels: LabelSet) -> Iterator[list[Row]]:
    for video in labels.videos:
        by_id: dict[int, list[Row]] = {}
        for row in video:
            if row.track_id is not None:
                by_id.setdefault(row.track_id, []).append(row)
        yield from by_id.values()


def _drop_class_changes(labels: LabelSet) -> None:
    for rows in _tracks(labels):
        votes: dict[int, float] = {}
        for row in rows:
            votes[int(row.category)] = votes.get(int(row.category), 0.0) + row.score
        for row in rows:
            row.category = elected_class(votes)


def _drop_score_changes(labels: LabelSet) -> None:
    for rows in _tracks(labels):
        mean = sum(row.score for row in rows) / len(rows)
        for row in rows:
            row.score = mean if any(other.score != row.score for other in rows) else row.score


def _unlabeled(labels: LabelSet) -> int:
    return sum(not facts.is_labeled for video in labels.videos for facts in video.frames.values())


def _drop_unlabeled(labels: LabelSet) -> None:
    for video in labels.videos:
        unlabeled = {index for index, facts in video.frames.items() if not facts.is_labeled}
        video.frames = {index: facts for index, facts in video.frames.items() if index not in unlabeled}
        video.rows = {index: rows for index, rows in video.rows.items() if index not in unlabeled}


def _drop_regions(labels: LabelSet) -> None:
    for video in labels.videos:
        video.frames = {index: replace(facts, ignore_regions=()) for index, facts in video.frames.items()}


FEATURES = {
    "crowds": Feature(
        "crowds or ignored masks",
        lambda labels: sum(row.is_crowd for row in labels.rows()),
        _drop_crowds,
    ),
    "unlabeled-frames": Feature("frames that were not labeled", _unlabeled, _drop_unlabeled),
    "ignored-regions": Feature(
        "frames with ignored regions",
        lambda labels: sum(bool(facts.ignore_regions) for video in labels.videos for facts in video.frames.values()),
        _drop_regions,
    ),
    "masks": _of_rows("masks", lambda row: row.rle is not None, _drop_mask),
    "poses": _of_rows("poses", lambda row: row.keypoints is not None, _drop_pose),
    "boxes": _of_rows("boxes beside a mask or a pose", _has_own_box, lambda row: setattr(row, "box", None)),
    "mask-with-pose": _of_rows(
        "objects with both a mask and a pose", lambda row: row.rle is not None and row.keypoints is not None, _drop_pose
    ),
    "empty-masks": Feature(
        "masks without a pixel", lambda labels: sum(map(_is_empty, labels.rows())), _drop_empty_masks
    ),
    "ids": _of_rows("identities", lambda row: row.track_id is not None, lambda row: setattr(row, "track_id", None)),
    "scores": _of_rows("scores", lambda row: row.score != 1, lambda row: setattr(row, "score", 1.0)),
    "joint-scores": _of_rows("poses with scores of joints", _has_joint_scores, _drop_joint_scores),
    "hidden-joints": _of_rows(
        "poses with hidden joints",
        lambda row: row.occluded is not None and bool(row.occluded.any()),
        lambda row: setattr(row, "occluded", None),
    ),
    "heads": _of_rows(
        "boxes of heads", lambda row: row.head_box is not None, lambda row: setattr(row, "head_box", None)
    ),
    "visibility": _of_rows(
        "shares in sight", lambda row: row.visibility is not None, lambda row: setattr(row, "visibility", None)
    ),
    "overlaps": Feature(
        "frames with masks that share pixels",
        lambda labels: sum(1 for video in labels.videos for _ in _overlaps(video)),
        _drop_overlaps,
    ),
    "class-changes": Feature(
        "tracks that change their class",
        lambda labels: sum(len({row.category for row in rows}) > 1 for rows in _tracks(labels)),
        _drop_class_changes,
    ),
    "score-changes": Feature(
        "tracks whose scores change",
        lambda labels: sum(len({row.score for row in rows}) > 1 for rows in _tracks(labels)),
        _drop_score_changes,
    ),
}  # fmt: skip


def lost_features(labels: LabelSet, holds: Collection[str]) -> dict[str, int]:
    """Features, with their numbers, that labels have and that are not among those that a format holds."""
    counts = {name: feature.count(labels) for name, feature in FEATURES.items() if name not in holds}
    return {name: count for name, count in counts.items() if count}
