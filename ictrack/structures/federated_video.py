"""Videos that were annotated for some classes only (TAO, BURST), as arrays, independent of the file format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .json_files import require
from .rle import RLE

# Results of a picture beyond these, by score, do not count; TAO's.
MAX_DETECTIONS = 300
# In place of a picture's position: a picture without objects, which does not count, and one that there is not.
UNCOUNTED, UNKNOWN = -1, -2

# Function of a message and a place that notes odd results that can be scored.
Warn = Callable[[str, str], None]


@dataclass(frozen=True)
class FrameObjects:
    """N objects of a frame.

    Attributes:
        ids: (N,) int64 identities, unique in the frame.
        classes: (N,) int64 category ids.
        shapes: Boxes (N, 4), x, y, w, h in pixels, or N RLEs that pycocotools can compare.
    """

    ids: np.ndarray
    classes: np.ndarray
    shapes: np.ndarray | Sequence[RLE]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class FederatedVideo:
    """Video that was annotated for some classes only.

    Attributes:
        name: Name.
        num_frames: Number of its pictures.
        negative: Category ids of which there is no object in the video.
        not_exhaustive: Category ids of which not every object is annotated.
        size: Height and width of its masks; None for boxes.
    """

    name: str
    num_frames: int
    negative: frozenset[int]
    not_exhaustive: frozenset[int]
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class FederatedGroundTruth:
    """Data set of V videos.

    Attributes:
        videos: (V,) videos.
        frames: (V,) objects of each picture that has some, in the order of frames. Other pictures do not count.
        categories: Name by id of the K categories that have objects.
        listed: Ids of all categories; empty where the file lists none.
        merged: Category id that stands for another one.
        pictures: Video's id or name, and position among all pictures of ``frames`` or ``UNCOUNTED``, by the picture's
            id or name.
        has_masks: Whether shapes are masks.
        split: Name of the split in pictures' names (BURST).
    """

    videos: Sequence[FederatedVideo]
    frames: Sequence[Sequence[FrameObjects]]
    categories: dict[int, str]
    listed: frozenset[int]
    merged: dict[int, int]
    pictures: dict[Any, tuple[Any, int]]
    has_masks: bool
    split: str = ""

    def by_frame(self, table: ObjectTable, warn: Warn) -> list[list[FrameObjects]]:
        """Results, whose pictures are numbered as in ``pictures``, by video and frame."""
        for row in np.flatnonzero(table.pictures == UNKNOWN).tolist():
            warn("a picture that the ground truth lacks; the result does not count", table.where(row))
        if self.listed:
            for row in np.flatnonzero(~np.isin(table.classes, list(self.listed))).tolist():
                warn("a category that the ground truth lacks", table.where(row))
        limits = np.cumsum([0, *map(len, self.frames)]).tolist()
        objects = table.by_picture(limits[-1])
        return [objects[start:end] for start, end in zip(limits[:-1], limits[1:])]


@dataclass(frozen=True)
class ObjectTable:
    """N objects of any pictures, in a file's order.

    Attributes:
        pictures: (N,) position of each object's picture, ``UNCOUNTED`` or ``UNKNOWN``.
        ids, classes: (N,) int64.
        scores: (N,) float64.
        shapes: Boxes (N, 4) or N RLEs.
        where: Function from a row to its place, for messages.
    """

    pictures: np.ndarray
    ids: np.ndarray
    classes: np.ndarray
    scores: np.ndarray
    shapes: np.ndarray | Sequence[RLE]
    where: Callable[[int], str]

    def by_picture(self, num_pictures: int) -> list[FrameObjects]:
        """Objects of each picture, in the table's order, at most ``MAX_DETECTIONS``.

        Raises AnnotationError if an identity is twice in a picture.
        """
        order = np.argsort(self.pictures, kind="stable")
        limits = np.searchsorted(self.pictures[order], np.arange(num_pictures + 1))
        return [self._objects(order[start:end]) for start, end in zip(limits[:-1], limits[1:])]

    def _objects(self, rows: np.ndarray) -> FrameObjects:
        if len(rows) > MAX_DETECTIONS:
            rows = rows[np.argsort(-self.scores[rows], kind="stable")[:MAX_DETECTIONS]]
        ids = self.ids[rows]
        if len(np.unique(ids)) < len(ids):
            seen: set[int] = set()
            for row in np.sort(rows).tolist():
                require(self.ids[row] not in seen, self.where(row), f"track {self.ids[row]} is in this picture already")
                seen.add(self.ids[row])
        shapes = self.shapes[rows] if isinstance(self.shapes, np.ndarray) else [self.shapes[i] for i in rows.tolist()]
        return FrameObjects(ids, self.classes[rows], shapes)
