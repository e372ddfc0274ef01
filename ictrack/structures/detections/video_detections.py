"""Detections of one video by the indices of its frames."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import PurePath
from typing import Any

import numpy as np

from ..frame_numbers import Numbering
from ..frame_tracks import FrameTracks, VideoTracks
from ..json_files import AnnotationError
from ..track_formats.boxes import check_corners

logger = logging.getLogger(__name__)


class VideoDetections(ABC):
    """Detections of one video.

    Attributes:
        name: Name of the video.
        file_names: File names by index of the frames that have detections; "" where they are unknown.
        numbering: Where these indices come from.
    """

    name: str
    file_names: dict[int, str]
    numbering: Numbering = Numbering.STATED

    @abstractmethod
    def frame(self, index: int, size: tuple[int, int]) -> FrameTracks:
        """Detections of a frame of ``file_names``, in pixels of a frame of the size (H, W). Raises AnnotationError."""

    @cached_property
    def by_stem(self) -> dict[str, int] | None:
        """Indices by the names of images without their suffixes, which often differ; None if names are unknown."""
        if not all(self.file_names.values()):
            return None
        return {PurePath(name).stem: index for index, name in self.file_names.items()}


class PixelDetections(VideoDetections):
    """Detections of one video in pixels of its frames."""

    def __init__(self, where: str, video: VideoTracks, class_names: Sequence[str]) -> None:
        """
        Args:
            where: File, for messages.
            video: The video.
            class_names: Names of the classes that detections are to have, among them the video's own.

        Raises:
            AnnotationError: the corners of a box are swapped.
        """
        self.where = where
        names = [category["name"] for category in categories_of(video)]
        self._classes = np.array([class_names.index(name) for name in names], dtype=np.int64)
        self.name, self.numbering = video.info.name, video.numbering
        self._size = (video.info.height, video.info.width)
        self._frames = {frame.index: frame for frame in video.frames if len(frame)}
        self.file_names = {index: frame.file_name for index, frame in self._frames.items()}
        for index, frame in self._frames.items():
            check_corners(frame.boxes, f"{where}: frame {index}")
        if self._frames and all(_are_shares(frame) for frame in self._frames.values()):
            text = "%s: all boxes lie in the first pixel: their coordinates must be pixels, and not shares of the frame"
            logger.warning(text, where)

    def frame(self, index: int, size: tuple[int, int]) -> FrameTracks:
        if all(self._size) and self._size != size:
            raise AnnotationError(
                f"{self.where}: the detections are of frames of {self._size[1]} x {self._size[0]} pixels, but the "
                f"video has {size[1]} x {size[0]}"
            )
        frame = self._frames[index]
        if frame.rles and tuple(frame.rles[0]["size"]) != size:
            height, width = frame.rles[0]["size"]
            raise AnnotationError(
                f"{self.where}: frame {index}: the masks are of {width} x {height} pixels, but the video has "
                f"{size[1]} x {size[0]}"
            )
        return replace(frame, classes=self._classes[frame.classes])


def categories_of(video: VideoTracks) -> list[dict[str, Any]]:
    """Entries {"id", "name"} of a video's classes, also of those that have no name."""
    num_classes = 1 + max((int(frame.classes.max(initial=-1)) for frame in video.frames), default=-1)
    return video.info.categories(num_classes)


def _are_shares(frame: FrameTracks) -> bool:
    """Whether coordinates can be shares of the frame in place of pixels."""
    return frame.rles is None and bool((np.abs(frame.boxes) <= 1).all())
