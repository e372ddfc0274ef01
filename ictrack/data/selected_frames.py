"""Part of a video: from one frame or time to another, every n-th frame."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Iterator
from typing import Any, Union

import numpy as np

from .frame_stream import FrameStream, VideoReadError

# A whole number is a frame's 0-based index, another one seconds from the first frame.
Position = Union[int, float]

_CLOCK = re.compile(r"(?:(\d+):)?([0-5]?\d):([0-5]?\d(?:\.\d+)?)")


def position(text: str) -> Position:
    """Argument type of a frame's number ("300") or of a time ("12.5s", "1:30", "1:02:03.5")."""
    if re.fullmatch(r"\d+", text):
        return int(text)
    if re.fullmatch(r"\d+(\.\d+)?s", text):
        return float(text[:-1])
    clock = _CLOCK.fullmatch(text)
    if clock:
        return 3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3])
    raise argparse.ArgumentTypeError(f"{text!r} is neither a frame's number (300) nor a time (12.5s, 1:30)")


class SelectedFrames(FrameStream):
    """Frames of a stream from ``start`` on and before ``end``, every ``stride``-th, numbered from 0.

    Times count from the first of them; names and records of frames are those of the whole video.
    """

    def __init__(
        self, frames: FrameStream, *, start: Position = 0, end: Position | None = None, stride: int = 1
    ) -> None:
        """
        Args:
            frames: Stream, which this one closes.
            start: First frame, or the time from which on.
            end: Frame or time before which the selection ends; None: the video's end.
            stride: Distance of the frames.
        """
        self._frames = frames
        self._start, self._end, self._stride = start, end, stride
        self._first = start if isinstance(start, int) else None
        self.name, self.height, self.width = frames.name, frames.height, frames.width
        self.fps = frames.fps / stride
        self.files, self.pixel_aspect, self.is_live = frames.files, frames.pixel_aspect, frames.is_live
        self.length = self._stated_length()

    @property
    def num_bad_frames(self) -> int:  # type: ignore[override]
        return self._frames.num_bad_frames

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        self._frames.wanted = self._is_wanted
        is_empty = True
        for index, frame in self._frames:
            if self._is_beyond(index):
                break
            if self._is_wanted(index):
                is_empty = False
                assert self._first is not None
                yield (index - self._first) // self._stride, frame
        if is_empty:
            raise VideoReadError(f"{self.name}: has no frame in the part that was asked for")

    @property
    def whole(self) -> FrameStream:
        return self._frames.whole

    def whole_index(self, index: int) -> int:
        return self._frames.whole_index(self._index_of(index))

    def frame_name(self, index: int) -> str:
        return self._frames.frame_name(self._index_of(index))

    def frame_record(self, index: int) -> dict[str, Any]:
        return self._frames.frame_record(self._index_of(index))

    def frame_time(self, index: int) -> float:
        return self._frames.frame_time(self._index_of(index)) - self._frames.frame_time(self._index_of(0))

    def stop(self) -> None:
        self._frames.stop()

    def close(self) -> None:
        self._frames.close()

    def _index_of(self, index: int) -> int:
        """Index of a selected frame in the stream."""
        return (self._first or 0) + index * self._stride

    def _is_wanted(self, index: int) -> bool:
        """Whether the stream must give this frame; called in ascending order, once its time is known."""
        if self._first is None and self._frames.frame_time(index) >= self._start:
            self._first = index
        if self._first is None or index < self._first:
            return False
        return (index - self._first) % self._stride == 0 or self._is_beyond(index)

    def _is_beyond(self, index: int) -> bool:
        if self._end is None:
            return False
        return index >= self._end if isinstance(self._end, int) else self._frames.frame_time(index) >= self._end

    def _stated_length(self) -> int | None:
        fps = self._frames.fps
        first, last = (
            where if where is None or isinstance(where, int) else math.ceil(where * fps)
            for where in (self._start, self._end)
        )
        ends = [end for end in (self._frames.length, last) if end is not None]
        return max(0, math.ceil((min(ends) - (first or 0)) / self._stride)) if ends else None
