"""Reader of tables of detections, ours and others'.

It takes columns in any order and case: the frame as ``frame``, ``frame_index``, ``frame_id`` (0-based), or else the
name of its image as ``file_name``, ``filename``, ``image`` (the index is then that of the name, see
:func:`.frame_indices`); the box as ``x0, y0, x1, y1``, ``xmin, ymin, xmax, ymax``, ``x1, y1, x2, y2``, or by its top
left corner ``x, y, w, h`` and ``x, y, width, height``; and, where there are any, ``score``, ``confidence`` or ``conf``;
``category``, ``class``, ``label``, ``class_name``, ``class_id`` or ``category_id``; ``track_id``, ``id`` or ``track``;
``time``; joints and masks as in :mod:`.table`.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from ..describe import describe
from ..frame_numbers import Numbering, frame_indices
from ..frame_tracks import VideoInfo, VideoTracks
from ..json_files import AnnotationError, require
from ..rle import RLE
from .rows import LabeledVideo, Row, facts_of
from .table import JOINT_PARTS, MASK_COLUMNS

# What a value is -> names of its column.
_NAMES = {
    "frame": ("frame", "frame_index", "frame_id"),
    "file_name": ("file_name", "filename", "image"),
    "time": ("time",),
    "score": ("score", "confidence", "conf"),
    "category": ("category", "class", "label", "class_name", "class_id", "category_id"),
    "track_id": ("track_id", "id", "track"),
}
# Columns of a box -> whether the last two are its far corner.
_BOXES = {
    ("x0", "y0", "x1", "y1"): True,
    ("xmin", "ymin", "xmax", "ymax"): True,
    ("x1", "y1", "x2", "y2"): True,
    ("x", "y", "w", "h"): False,
    ("x", "y", "width", "height"): False,
}


def video_of(
    path: str | os.PathLike, header: Sequence[str], entries: Sequence[tuple[str, Mapping[str, Any]]]
) -> VideoTracks:
    """Video of a table.

    Args:
        path: Its file.
        header: Names of the columns.
        entries: (place for messages, values by column) of each row. Numbers may be text; "" and None are missing.

    Raises:
        AnnotationError: a column is missing, or a value is wrong; the message has the place.
    """
    table = _Table(path, header)
    names = sorted({table.name(entry) for _, entry in entries} - {""})
    indices, numbering = frame_indices(names)
    index_of = dict(zip(names, indices))
    video = LabeledVideo(str(path), VideoInfo(Path(path).stem, 0, 0, 0.0, (), ()))
    frame_names, times = {}, {}
    for place, entry in entries:
        name = table.name(entry)
        index = table.index(entry, place) if table.has("frame") else index_of.get(name, -1)
        require(index >= 0, place, "names no image" if not table.has("frame") else "frames count from 0")
        if name:
            frame_names[index] = PurePath(name).name
        time = table.number(entry, "time", place)
        if time is not None:
            times[index] = time
        video.add(index, table.row(entry, place))
    video.info = VideoInfo(Path(path).stem, *table.size, 0.0, (), (), tuple(table.joints))
    video.frames = facts_of(frame_names, times)
    video.numbering = Numbering.STATED if table.has("frame") else numbering
    return video.tracks()


class _Table:
    """Columns of a table, and what they say of a row.

    Attributes:
        joints: Names of the joints that have columns.
        size: Height and width of the masks so far; zeros without any.
    """

    def __init__(self, path: object, header: Sequence[str]) -> None:
        self._column = {name.lower(): name for name in header}
        for name, count in Counter(name.lower() for name in header if name).items():
            require(count == 1, f"{path}: header", f"has {count} columns {describe(name)}")
        self._box = next((names for names in _BOXES if all(name in self._column for name in names)), None)
        self._has_masks = all(name in self._column for name in MASK_COLUMNS)
        self.joints = [
            name[: -len("_x")]
            for name in header
            if name.endswith("_x") and all(f"{name[:-1]}{part}".lower() in self._column for part in JOINT_PARTS)
        ]
        self.size = (0, 0)
        where = f"{path}: header"
        require(self.has("frame") or self.has("file_name"), where, "has neither a column frame nor file_name")
        require(self._box is not None or self._has_masks, where, "has no columns x0, y0, x1, y1 of boxes")

    def has(self, what: str) -> bool:
        return any(name in self._column for name in _NAMES[what])

    def _value(self, entry: Mapping[str, Any], what: str) -> Any:
        column = next((self._column[name] for name in _NAMES[what] if name in self._column), None)
        value = None if column is None else entry[column]
        return None if value == "" else value

    def name(self, entry: Mapping[str, Any]) -> str:
        return str(self._value(entry, "file_name") or "")

    def number(self, entry: Mapping[str, Any], what: str, place: str) -> float | None:
        value = self._value(entry, what)
        return None if value is None else _number(value, f"{place}: {what}")

    def index(self, entry: Mapping[str, Any], place: str) -> int:
        return _whole(self._value(entry, "frame"), f"{place}: frame")

    def row(self, entry: Mapping[str, Any], place: str) -> Row:
        score, track_id = self.number(entry, "score", place), self._value(entry, "track_id")
        category = self._value(entry, "category")
        return Row(
            0 if category is None else _category(category),
            1.0 if score is None else score,
            self._corners(entry, place),
            None if track_id is None else _whole(track_id, f"{place}: track_id"),
            self._mask(entry, place),
            self._pose(entry, place),
            f"{place}: mask",
        )

    def _corners(self, entry: Mapping[str, Any], place: str) -> tuple[float, float, float, float] | None:
        if self._box is None:
            return None
        x, y, right, bottom = (_number(entry[self._column[name]], f"{place}: {name}") for name in self._box)
        return (x, y, right, bottom) if _BOXES[self._box] else (x, y, x + right, y + bottom)

    def _pose(self, entry: Mapping[str, Any], place: str) -> np.ndarray | None:
        if not self.joints:
            return None
        columns = [self._column[f"{joint}_{part}".lower()] for joint in self.joints for part in JOINT_PARTS]
        values = [_number(entry[column], f"{place}: {column}") for column in columns]
        return np.array(values).reshape(len(self.joints), len(JOINT_PARTS))

    def _mask(self, entry: Mapping[str, Any], place: str) -> RLE | None:
        if not self._has_masks:
            return None
        height, width, counts = (entry[self._column[name]] for name in MASK_COLUMNS)
        if counts in ("", None):
            return None
        self.size = (_whole(height, f"{place}: mask_height"), _whole(width, f"{place}: mask_width"))
        return {"size": list(self.size), "counts": str(counts)}


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise AnnotationError(f"{where}: must be a finite number, not {describe(value)}")
    return number


def _whole(value: Any, where: str) -> int:
    number = _number(value, where)
    require(number == int(number), where, f"must be a whole number, not {describe(value)}")
    return int(number)


def _category(value: Any) -> int | str:
    """Id or name of a class."""
    text = str(value)
    return int(text) if text.isdecimal() else text
