"""Detector and tracker, fed frame by frame: what runs by PyTorch and by ONNX Runtime have in common."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ictrack.data.frame_stream import FrameStream, VideoReadError
from ictrack.data.video_io import open_frames
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.joints import JointSet
from ictrack.structures.stage_clock import StageClock

from .frame_tracks import to_frame_tracks
from .pipeline import Prefetcher

logger = logging.getLogger(__name__)


class FrameTracker(ABC):
    """Detector and online tracker of one video at a time. Only the tracker's own memory is kept of past frames.

    Attributes:
        tracker: Tracker of the current video, with ``num_left_out`` and ``state_dict`` where it has them; None before
            the first frame.
        num_frames: Number of frames of the current video so far, including unreadable ones.
    """

    def __init__(
        self,
        *,
        class_names: Sequence[str] | None = None,
        category_ids: Sequence[int] | None = None,
        joints: JointSet | None = None,
        min_joint_score: float = 0.0,
    ) -> None:
        """
        Args:
            class_names, category_ids: Names and ids of the contiguous categories, for labels and saved tracks.
            joints, min_joint_score: Drawing options for a pose detector, see :class:`TrackDrawer`.
        """
        self.class_names = class_names
        self.category_ids = category_ids
        self.joints = joints
        self.min_joint_score = min_joint_score
        self.tracker: Any = None
        self.num_frames = 0
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def detect(self, frame: np.ndarray, record: Mapping[str, Any] | None = None) -> Any:
        """Detections in a frame, at its size.

        Args:
            frame: BGR uint8 (H, W, 3).
            record: More for the detector's input, such as ``frame_index``, see :meth:`FrameStream.frame_record`.
        """

    @abstractmethod
    def _new_tracker(self, size: tuple[int, int]) -> Any:
        """Tracker of a video of ``size`` (H, W)."""

    @abstractmethod
    def _identify(self, detections: Any) -> Any:
        """Those of a frame's detections that the tracker gives an identity, on the CPU."""

    def run(
        self,
        source: str | os.PathLike | int | FrameStream,
        *,
        recorder: Callable[[FrameTracks], None] | None = None,
        max_frames: int | None = None,
        resume: bool = False,
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Track through a video.

        Args:
            source: Source of :func:`ictrack.data.video_io.open_frames`, or an open stream.
            recorder: Function that gets each frame's tracks, without dense masks; ``list.append`` would keep them.
            max_frames: Number of frames after which to stop.
            resume: Whether to keep the tracker's state, as if ``source`` continued the previous video.

        Yields:
            BGR uint8 frame (H, W, 3), and its tracked detections, see :meth:`track`.

        Raises:
            VideoReadError: If the source cannot be read, or its size differs from that of the video it continues.
            TrackerInputError: If the detections lack a field that the tracker needs.
        """
        frames = source if isinstance(source, FrameStream) else open_frames(source)
        with frames:
            size = (frames.height, frames.width)
            if not (resume and self.tracker):
                self.start(size)
            elif size != self._size:
                raise VideoReadError(f"{frames.name}: frames of {size} cannot continue a video of {self._size} pixels")
            first, whole, is_complete = self.num_frames, frames.whole, frames.whole is frames and not self.num_frames
            with (
                self.warning_of_left_out(frames.name),
                Prefetcher(frames, StageClock(), "decode", frames.stop) as numbered,
            ):
                for index, frame in numbered:
                    if max_frames is not None and index >= max_frames:
                        is_complete = False
                        break
                    record = frames.frame_record(index)
                    record["frame_index"] += first
                    tracks = self.track(frame, first + index, record=record)
                    if recorder is not None:
                        number, name = frames.whole_index(index), frames.frame_name(index)
                        seconds = first / whole.fps + whole.frame_time(number)
                        recorder(to_frame_tracks(tracks, first + number, file_name=name, time=seconds))
                    yield frame, tracks
                self.end_video(is_complete=is_complete)

    def start(self, size: tuple[int, int], state: Mapping[str, np.ndarray] | None = None) -> None:
        """Begin a video of ``size`` (H, W), or go on with one.

        Args:
            size: Height and width of the frames.
            state: State of the tracker of the frames before; None: it is the beginning.

        Raises:
            ValueError: the state is none of this tracker's.
        """
        self.tracker, self.num_frames, self._size = self._new_tracker(size), 0, size
        if state is not None:
            self.tracker.load_state_dict(state)

    def end_video(self, *, is_complete: bool) -> None:  # noqa: B027  most detectors do not look at a whole video
        """Say that the video is at its end.

        Args:
            is_complete: Whether all of its frames were tracked.
        """

    def track(
        self,
        frame: np.ndarray,
        index: int,
        clock: StageClock | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Any:
        """Tracked detections of the next frame of the video that :meth:`start` began.

        Args:
            frame: BGR uint8 (H, W, 3).
            index: 0-based index of the frame, greater than the last one's.
            clock: Clock of the stages "detect", which waits for the device, in it "embed", and "track".
            record: What the detector is told of the frame, see :meth:`FrameStream.frame_record`.

        Returns:
            Detections at the frame's size that have an identity, see :meth:`FrameArrays.of`.
        """
        clock = clock or StageClock()
        assert self.tracker is not None, "start() begins a video"
        with clock("detect"):
            detections = self.detect(frame, record)
        with clock("track"):
            if hasattr(self.tracker, "go_on_to"):  # Detectron2's own trackers count their calls
                self.tracker.go_on_to(index)
            tracks = self._identify(detections)
        self.num_frames = index + 1
        return tracks

    @contextmanager
    def warning_of_left_out(self, name: str) -> Iterator[None]:
        """Context of a video, at whose end there is a warning if detections were not tracked."""
        left_out = self._num_left_out
        try:
            yield
        finally:
            left_out = self._num_left_out - left_out
            if left_out:
                logger.warning(
                    f"{name}: {left_out} detections were not tracked, since their frames had more than "
                    f"TRACKER_HEADS.MAX_DETECTIONS"
                )

    @property
    def _num_left_out(self) -> int:
        """Number of detections beyond the limit; Detectron2's own trackers do not count them."""
        return getattr(self.tracker, "num_left_out", 0)

    def video_info(self, frames: FrameStream) -> VideoInfo:
        """Facts about a video and the detector's classes and joints, for files of its tracks."""
        return VideoInfo(
            frames.name,
            frames.height,
            frames.width,
            frames.whole.fps,
            tuple(self.class_names or ()),
            tuple(self.category_ids or ()),
            self.joints.names if self.joints is not None else (),
        )
