"""Detections of a file, gathered one by one and given frame by frame."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError, require
from ..rle import RLE
from .masks import checked_rles, tight_boxes

logger = logging.getLogger(__name__)


@dataclass
class Row:
    """One detection. At least one of box, mask and pose is there.

    Attributes:
        category: Id or name of its class in the file.
        score: Score; 1 for a label.
        box: x0, y0, x1, y1 in continuous pixels; None: that of the mask, or else of the joints with a score.
        track_id: Identity.
        rle: Mask, in any encoding by run lengths; :meth:`Rows.video` checks it.
        keypoints: (J, 3) x, y in continuous pixels, score.
        where: Place of the mask in the file, for messages.
    """

    category: int | str
    score: float = 1.0
    box: Sequence[float] | None = None
    track_id: int | None = None
    rle: RLE | None = None
    keypoints: np.ndarray | None = None
    where: str = ""


class Rows:
    """Rows of one video by frame."""

    def __init__(self) -> None:
        self._by_frame: dict[int, list[Row]] = {}

    def add(self, index: int, row: Row) -> None:
        """Append a detection to a frame."""
        self._by_frame.setdefault(index, []).append(row)

    def __iter__(self) -> Iterator[Row]:
        return (row for rows in self._by_frame.values() for row in rows)

    def video(
        self,
        path: object,
        info: VideoInfo,
        categories: Mapping[Any, str] | None = None,
        *,
        frame_names: Mapping[int, str] | None = None,
        times: Mapping[int, float] | None = None,
    ) -> VideoTracks:
        """The video of all rows.

        A field that only some of the detections have is left out of all, which is logged.

        Args:
            path: File of the rows, for messages.
            info: Facts about the video; its classes are set here.
            categories: Names by the rows' categories, in the order of the contiguous classes; None: the rows' own, in
                ascending order.
            frame_names, times: File names and times by frame index. The video has these frames even without detections.

        Raises:
            AnnotationError: an encoding is no mask, or a frame's detections do not fit together.
        """
        rows = list(self)
        _check_masks([row for row in rows if row.rle is not None])
        if categories is None:
            found = sorted({row.category for row in rows}, key=lambda category: (isinstance(category, str), category))
            categories = {category: _name(category) for category in found}
        classes = {category: i for i, category in enumerate(categories)}
        ids = tuple(i if isinstance(category, str) else category for i, category in enumerate(categories, 1))
        info = replace(info, class_names=tuple(categories.values()), category_ids=ids)
        complete = {name: _is_complete(rows, name, path) for name in ("track_id", "rle", "keypoints")}
        numbers = {len(row.keypoints) for row in rows if row.keypoints is not None}
        require(len(numbers) < 2, str(path), f"poses of different numbers of joints: {sorted(numbers)}")
        frames = []
        for index in sorted({*self._by_frame, *(frame_names or ()), *(times or ())}):
            try:
                frame = _frame(index, self._by_frame.get(index, []), classes, complete, len(info.joint_names))
            except (ValueError, OverflowError) as error:
                raise AnnotationError(f"{path}: frame {index}: {error}") from None
            name = (frame_names or {}).get(index, "")
            frames.append(replace(frame, file_name=name, time=(times or {}).get(index)))
        return VideoTracks(info, frames)


def _name(category: int | str) -> str:
    return category if isinstance(category, str) else f"class {category}"


def _check_masks(rows: list[Row]) -> None:
    """Check masks, all at once, and give rows without a box that of their mask."""
    rles = checked_rles([row.rle or {} for row in rows], [row.where for row in rows])
    for row, rle, box in zip(rows, rles, tight_boxes(rles).tolist()):
        row.rle = rle
        row.box = box if row.box is None else row.box


def _is_complete(rows: list[Row], name: str, path: object) -> bool:
    present = sum(getattr(row, name) is not None for row in rows)
    if 0 < present < len(rows):
        logger.warning("%s: only %d of %d detections have a %s, which is left out", path, present, len(rows), name)
    return 0 < present == len(rows)


def _frame(
    index: int, rows: list[Row], classes: Mapping[int | str, int], complete: Mapping[str, bool], num_joints: int
) -> FrameTracks:
    keypoints = None
    if complete["keypoints"]:
        keypoints = np.array([row.keypoints for row in rows], dtype=np.float64).reshape(len(rows), num_joints, 3)
    return FrameTracks(
        index,
        np.array([row.score for row in rows], dtype=np.float64),
        np.array([classes[row.category] for row in rows], dtype=np.int64),
        np.array([_box(row) for row in rows], dtype=np.float64).reshape(len(rows), 4),
        np.array([row.track_id for row in rows], dtype=np.int64) if complete["track_id"] else None,
        [row.rle for row in rows if row.rle is not None] if complete["rle"] else None,
        keypoints,
    )


def _box(row: Row) -> Sequence[float]:
    if row.box is not None:
        return row.box
    assert row.keypoints is not None
    return pose_box(row.keypoints)


def pose_box(keypoints: np.ndarray) -> tuple[float, ...]:
    """Extent x0, y0, x1, y1 of the joints (J, 3) with a positive score, or else of all."""
    points = keypoints[keypoints[:, 2] > 0, :2]
    points = points if len(points) else keypoints[:, :2]
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
