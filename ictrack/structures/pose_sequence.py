"""People of one video as arrays, the input of pose metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class PoseSequence:
    """F frames with P people altogether, their joints in the order of ``POSETRACK_15``. Coordinates are in pixels.

    Attributes:
        name: Name of the sequence.
        source: File that it was read from, for messages; may be empty.
        file_names: File names of the F images.
        is_labeled: (F,) whether the people of the frame were annotated.
        ignore_regions: Polygons (V, 2) of each frame in which people were not annotated.
        frames: (P,) index of each person's frame, ascending; within a frame people are in the file's order.
        track_ids: (P,) int64 track ids.
        keypoints: (P, 15, 2) x, y.
        present: (P, 15) whether the joint is annotated or predicted.
        scores: (P, 15) scores of the predicted joints.
        head_diagonals: (P,) diagonal of the head box; NaN without one.
        areas: (P,) area of the person's box; NaN without one.
        has_scores: (P,) whether the scores were given.
    """

    name: str
    source: str
    file_names: tuple[str, ...]
    is_labeled: np.ndarray
    ignore_regions: tuple[tuple[np.ndarray, ...], ...]
    frames: np.ndarray
    track_ids: np.ndarray
    keypoints: np.ndarray
    present: np.ndarray
    scores: np.ndarray
    head_diagonals: np.ndarray
    areas: np.ndarray
    has_scores: np.ndarray

    @property
    def num_frames(self) -> int:
        return len(self.file_names)

    @property
    def num_people(self) -> int:
        return len(self.frames)

    def people_per_frame(self) -> np.ndarray:
        """Number (F,) of people in each frame."""
        return np.bincount(self.frames, minlength=self.num_frames)

    def reorder_frames(self, order: Sequence[int]) -> PoseSequence:
        """Sequence with frame ``order[i]`` at position i; ``order`` is a permutation of the frames."""
        position = np.empty(self.num_frames, dtype=np.int64)
        position[list(order)] = np.arange(self.num_frames)
        people = np.argsort(position[self.frames], kind="stable")
        return replace(
            self,
            file_names=tuple(self.file_names[i] for i in order),
            is_labeled=self.is_labeled[list(order)],
            ignore_regions=tuple(self.ignore_regions[i] for i in order),
            frames=position[self.frames][people],
            track_ids=self.track_ids[people],
            keypoints=self.keypoints[people],
            present=self.present[people],
            scores=self.scores[people],
            head_diagonals=self.head_diagonals[people],
            areas=self.areas[people],
            has_scores=self.has_scores[people],
        )
