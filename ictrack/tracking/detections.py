"""Detections of one frame as trackers read them, in columns; their checks and their filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np


class TrackerInputError(ValueError):
    """Detections that a tracker cannot use; the message names the frame, the field and the remedy."""


class Detections(Protocol):
    """N detections of a frame in columns that bear the names of Detectron2's fields.

    All have `scores` (N,), `pred_classes` (N,) and `pred_boxes` (N, 4) XYXY in pixels; some have `embeddings` (N, D) or
    (N, P, D), `pred_keypoints` (N, J, 3) of x, y, score, and `pred_masks` (N, H, W) bool.
    """

    def __len__(self) -> int: ...

    def has(self, name: str) -> bool:
        """Whether there is a column of this name."""

    def column(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Column as an array, which must not be modified; or only its ``rows`` (K,), ascending and unique."""


class ArrayDetections:
    """Columns that are arrays already."""

    def __init__(self, columns: Mapping[str, np.ndarray]) -> None:
        self._columns = columns

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def has(self, name: str) -> bool:
        return name in self._columns

    def column(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        column = self._columns[name]
        return column if rows is None or len(rows) == len(column) else column[rows]


def require_column(detections: Detections, name: str, remedy: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Column ``name``, see :meth:`Detections.column`; raises :class:`TrackerInputError` with ``remedy`` if there is
    none."""
    if not detections.has(name):
        raise TrackerInputError(f"detections have no field `{name}`: {remedy}")
    return detections.column(name, rows)


def require_finite(values: np.ndarray, name: str, rows: np.ndarray) -> None:
    """Raise :class:`TrackerInputError` unless the values (N, ...) of a column in ``rows`` (N,) are finite."""
    finite = np.isfinite(values)
    if not finite.all():
        bad = rows[~finite.reshape(len(rows), -1).all(axis=1)].tolist()
        raise TrackerInputError(f"`{name}` is NaN or infinite in rows {bad}: did training diverge?")


def select_detections(detections: Detections, min_score: float, max_detections: int) -> tuple[np.ndarray, int]:
    """Rows, ascending, of the best ``max_detections`` detections of score >= ``min_score``, and the number of others
    of such a score; ties go to lower rows.

    Raises:
        TrackerInputError: `scores` is missing or not finite.
    """
    if not len(detections):
        return np.zeros(0, dtype=np.int64), 0
    scores = require_column(detections, "scores", "a tracker needs the detection scores")
    if not np.isfinite(scores).all():
        raise TrackerInputError(f"`scores` is not finite in rows {np.flatnonzero(~np.isfinite(scores)).tolist()}")
    rows = np.flatnonzero(scores >= min_score)
    if len(rows) <= max_detections:
        return rows, 0
    best = np.argsort(-scores[rows], kind="stable")[:max_detections]
    return np.sort(rows[best]), len(rows) - max_detections
