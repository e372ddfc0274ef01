"""Frames with the tracks drawn in, as a video or in a window, made in threads beside the detector."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import numpy as np

from ictrack.data.frame_stream import FrameStream
from ictrack.data.video_writer import VideoWriter
from ictrack.structures.stage_clock import StageClock
from ictrack.visualization.draw_tracks import TrackDrawer, legible_scale
from ictrack.visualization.live_window import LiveWindow

from .frame_tracker import FrameTracker
from .pipeline import Sink

# A frame, BGR uint8 (H, W, 3), its tracks (see FrameArrays.of), and the time in seconds from which it is shown.
Picture = tuple[np.ndarray, Any, float]


class DrawnVideo:
    """Drawn frames of a video, in an mp4, in a window, or both; small frames are enlarged so that labels are legible.

    Also a context manager, at whose end the file holds every picture that was put in, after an error, too.

    Attributes:
        drawing: Sink that takes the pictures.
    """

    def __init__(
        self,
        path: str | os.PathLike | None,
        frames: FrameStream,
        tracker: FrameTracker,
        clock: StageClock,
        window: LiveWindow | None = None,
    ) -> None:
        """
        Args:
            path: Path of the mp4; None: no file.
            frames: Stream of the video.
            tracker: Tracker, whose classes and joints are named.
            clock: Clock of the stages "draw" and "encode".
            window: Window that gets each drawn frame; None: none.
        """
        self._clock = clock
        self._drawer = TrackDrawer(
            tracker.class_names,
            scale=legible_scale(frames.height, frames.width),
            joints=tracker.joints,
            min_joint_score=tracker.min_joint_score,
        )
        self._window = window
        self._stack = ExitStack()
        self._encoding: Sink[tuple[np.ndarray, float]] | None = None
        if path is not None:
            self._writer = self._stack.enter_context(VideoWriter(path, frames.fps, pixel_aspect=frames.pixel_aspect))
            self._encoding = self._stack.enter_context(Sink(self._encode, "encode"))
        self.drawing: Sink[Picture] = self._stack.enter_context(Sink(self._draw, "draw"))

    def _draw(self, picture: Picture) -> None:
        frame, tracks, time = picture
        with self._clock("draw"):
            drawn = self._drawer.draw(frame, tracks)
        if self._window is not None:
            self._window.put(drawn)
        if self._encoding is not None:
            self._encoding.put((drawn, time))

    def _encode(self, item: tuple[np.ndarray, float]) -> None:
        with self._clock("encode"):
            self._writer.write(*item)

    def __enter__(self) -> DrawnVideo:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]
