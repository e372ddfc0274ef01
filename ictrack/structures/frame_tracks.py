"""One video's detections or tracks, frame by frame, independent of any file format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .categories import class_name
from .frame_numbers import Numbering
from .rle import RLE


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a video and about the classes in its detections.

    Attributes:
        name: Name without folder and suffix.
        height, width: Size of the frames in pixels; 0 where a file does not state it.
        fps: Frames per second; 0 where a file does not state it.
        class_names: Names of the contiguous classes, as far as they are known.
        category_ids: Ids of the contiguous classes in files, as far as they are known.
        joint_names: Names of the J joints of poses; empty where there are no poses.
    """

    name: str
    height: int
    width: int
    fps: float
    class_names: tuple[str, ...]
    category_ids: tuple[int, ...]
    joint_names: tuple[str, ...] = ()

    def category_name(self, index: int) -> str:
        """Name of a contiguous class, "class <index>" if it is unknown."""
        return class_name(self.class_names, index)

    def category_id(self, index: int) -> int:
        """Id of a contiguous class in files; unknown ones follow the largest known, or start at 1."""
        known = self.category_ids
        return known[index] if index < len(known) else max(known, default=0) + 1 + index - len(known)

    def categories(self, num_classes: int = 0) -> list[dict[str, Any]]:
        """Entries {"id", "name"} of the known classes, and of at least ``num_classes``."""
        known = len(self.class_names or self.category_ids)
        return [
            {"id": self.category_id(index), "name": self.category_name(index)}
            for index in range(max(known, num_classes))
        ]

    def frame_time(self, frame: FrameTracks) -> float:
        """Seconds from the first frame to a frame, by its index if it has no time; 0 if neither is known."""
        if frame.time is not None:
            return frame.time
        return frame.index / self.fps if self.fps else 0.0


@dataclass(frozen=True)
class FrameTracks:
    """N detections of one frame, with identities where they were tracked.

    Attributes:
        index: Frame index, 0-based.
        scores: (N,) float64.
        classes: (N,) int64 contiguous classes.
        boxes: (N, 4) float64 XYXY in continuous pixels of the frame.
        ids: (N,) int64 identities, unique in the frame; None for detections that were not tracked.
        rles: N masks of the frame's size with a str ``counts``; None for a detector without masks.
        keypoints: (N, J, 3) float64 x, y in continuous pixels and the score of each joint; None without poses.
        file_name: Name of the frame's picture, or the name that it would have.
        time: Seconds since the first frame; None where that is unknown.
    """

    index: int
    scores: np.ndarray
    classes: np.ndarray
    boxes: np.ndarray
    ids: np.ndarray | None = None
    rles: Sequence[RLE] | None = None
    keypoints: np.ndarray | None = None
    file_name: str = ""
    time: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError if lengths or shapes differ, a number is not finite, a class is negative, or an identity is
        there twice."""
        num = len(self.scores)
        for name in ("classes", "boxes", "ids", "rles", "keypoints"):
            field = getattr(self, name)
            if field is not None and len(field) != num:
                raise ValueError(f"frame {self.index}: {num} scores, but {len(field)} {name}")
        if self.boxes.shape != (num, 4):
            raise ValueError(f"frame {self.index}: boxes of shape {self.boxes.shape}, must be ({num}, 4)")
        if self.keypoints is not None and (self.keypoints.ndim != 3 or self.keypoints.shape[2] != 3):
            raise ValueError(f"frame {self.index}: keypoints of shape {self.keypoints.shape}, must be ({num}, J, 3)")
        for name in ("scores", "boxes", "keypoints"):
            field = getattr(self, name)
            if field is not None and not np.isfinite(field).all():
                raise ValueError(f"frame {self.index}: {name} that are NaN or infinite")
        if (self.classes < 0).any():
            raise ValueError(f"frame {self.index}: classes must be indices, not {self.classes.tolist()}")
        if self.ids is not None and len(np.unique(self.ids)) < num:
            raise ValueError(f"frame {self.index}: an identity is twice in the frame ({self.ids.tolist()})")

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, rows: np.ndarray) -> FrameTracks:
        """The same frame with the detections of these row numbers."""
        return replace(
            self,
            scores=self.scores[rows],
            classes=self.classes[rows],
            boxes=self.boxes[rows],
            ids=None if self.ids is None else self.ids[rows],
            rles=None if self.rles is None else [self.rles[row] for row in rows.tolist()],
            keypoints=None if self.keypoints is None else self.keypoints[rows],
        )


@dataclass(frozen=True)
class VideoTracks:
    """Detections or tracks of one video, as a reader of a file gives them.

    Attributes:
        info: Facts about the video.
        frames: Frames in ascending order; those without detections may be missing.
        numbering: Where their indices come from.
    """

    info: VideoInfo
    frames: list[FrameTracks]
    numbering: Numbering = Numbering.STATED
