"""Video with the tracks drawn in, made in threads beside the detector."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Union

import numpy as np
from detectron2.structures import Instances

from ictrack.data.video_io import FrameStream, VideoWriter
from ictrack.modeling.frame_instances import to_instances
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.visualization.draw_tracks import TrackDrawer, legible_scale

from .pipeline import Sink, StageClock
from .video_tracker import VideoTracker

# A frame, BGR uint8 (H, W, 3), its tracks, and the time in seconds from which it is shown.
Picture = tuple[np.ndarray, Union[Instances, FrameTracks], float]


class DrawnVideo:
    """Mp4 of a video with its tracks; small frames are enlarged so that labels are legible.

    Also a context manager, at whose end the file holds every picture that was put in, after an error, too.

    Attributes:
        drawing: Sink that takes the pictures.
    """

    def __init__(self, path: str | os.PathLike, frames: FrameStream, tracker: VideoTracker, clock: StageClock) -> None:
        """
        Args:
            path: Path of the mp4.
            frames: Stream of the video.
            tracker: Tracker, whose classes and joints are named.
            clock: Clock of the stages "draw" and "encode".
        """
        self._size = (frames.height, frames.width)
        self._clock = clock
        self._drawer = TrackDrawer(
            tracker.class_names,
            scale=legible_scale(*self._size),
            joints=tracker.joints,
            min_joint_score=tracker.min_joint_score,
        )
        self._stack = ExitStack()
        self._writer = self._stack.enter_context(VideoWriter(path, frames.fps, pixel_aspect=frames.pixel_aspect))
        self._encoding = self._stack.enter_context(Sink(self._encode, "encode"))
        self.drawing: Sink[Picture] = self._stack.enter_context(Sink(self._draw, "draw"))

    def _draw(self, picture: Picture) -> None:
        frame, tracks, time = picture
        with self._clock("draw"):
            instances = to_instances(tracks, self._size) if isinstance(tracks, FrameTracks) else tracks
            drawn = self._drawer.draw(frame, instances)
        self._encoding.put((drawn, time))

    def _encode(self, item: tuple[np.ndarray, float]) -> None:
        with self._clock("encode"):
            self._writer.write(*item)

    def __enter__(self) -> DrawnVideo:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.__exit__(*exception)  # type: ignore[arg-type]
