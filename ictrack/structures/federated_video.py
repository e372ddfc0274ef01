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
    """

    name: str
    num_frames: int
    negative: frozenset[int]
    not_exhaustive: frozenset[int]


@dataclass(frozen=True)
class FederatedGroundTruth:
    """Data set of V videos.

    Attributes:
        videos: (V,) videos.
        frames: (V,) objects of each picture that has some, in the order of frames. Other pictures do not count.
        categories: Name by id of the K categories that have objects.
        merged: Category id that stands for another one.
        pictures: Video's index and position in its ``frames``, by the picture's id or name.
        has_masks: Whether shapes are masks.
        split: Name of the split in pictures' names (BURST).
    """

    videos: Sequence[FederatedVideo]
    frames: Sequence[Sequence[FrameObjects]]
    categories: dict[int, str]
    merged: dict[int, int]
    pictures: dict[Any, tuple[int, int]]
    has_masks: bool
    split: str = ""


@dataclass(frozen=True)
class ObjectTable:
    """N objects of any pictures, in a file's order.

    Attributes:
        pictures: (N,) index of each object's picture; -1 for pictures that do not count.
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
