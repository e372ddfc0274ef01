"""Frames of one video, in order: the interface of every video input.

Frames are BGR uint8 arrays (H, W, 3), OpenCV's and Detectron2's convention, all of one size in a stream. They are
decoded one at a time, so memory does not depend on the length of the video.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

# Frames per second of sources that do not state it: folders of frames, and cameras that report nothing.
DEFAULT_FPS = 10.0


class VideoReadError(ValueError):
    """A source that cannot be read as a stream of frames; the message names the file and the reason."""


class FrameStream(ABC):
    """Frames of one video, in order. Iterate once; also a context manager that closes the source.

    Attributes:
        name: Name of the video: the last part of its path without a suffix, or ``camera<index>``.
        height, width: Size of every frame in pixels.
        fps: Frames per second.
        length: Number of frames that the source states; None if unknown.
        files: Files of the source, which an output must not replace.
        pixel_aspect: Width of a pixel divided by its height, as the source is to be shown.
        num_bad_frames: Number of unreadable frames so far; they are left out, the others keep their index.
        is_live: Whether the source cannot be read again from its beginning: a camera, or a network stream.
        wanted: Function of a frame's index, called in ascending order, that tells whether the stream must give this
            frame; it may give others nevertheless.
    """

    name: str
    height: int
    width: int
    fps: float
    length: int | None = None
    files: Sequence[str] = ()
    pixel_aspect: Fraction = Fraction(1)
    num_bad_frames: int = 0
    is_live: bool = False
    wanted: Callable[[int], bool] | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (0-based frame index, BGR uint8 array (H, W, 3)); the index of an unreadable frame is skipped."""

    @property
    def whole(self) -> FrameStream:
        """Stream of the whole video, which this one is a part of."""
        return self

    def whole_index(self, index: int) -> int:
        """Index of a frame in the whole video."""
        return index

    def frame_name(self, index: int) -> str:
        """File name of a frame in a folder of the video's frames."""
        return f"{index:05d}.jpg"

    def frame_time(self, index: int) -> float:
        """Seconds from the first frame to a frame that was read."""
        return index / self.fps

    def frame_record(self, index: int) -> dict[str, Any]:
        """What a detector is told of a frame beside its image: ``frame_index``, ``video_name`` and, where frames are
        images of their own, ``file_name``."""
        return {"frame_index": index, "video_name": self.name}

    def stop(self) -> None:  # noqa: B027  most streams do not wait
        """Let an iteration in another thread end soon, that waits for a source which may come back."""

    def close(self) -> None:  # noqa: B027  images have nothing to release
        """Release the source."""

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def stem(path: str) -> str:
    """Name of the video at a path: its last part without a suffix."""
    return os.path.splitext(os.path.basename(os.path.normpath(path)))[0] or "video"
