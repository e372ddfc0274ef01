"""Base class of the tracking evaluators, which run a tracker over the videos of a data set, frame by frame."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from detectron2.config import CfgNode
from detectron2.evaluation import DatasetEvaluator
from detectron2.structures import Instances
from detectron2.tracking import BaseTracker

from ictrack.tracking import build_tracker, current_detections, plain_instances
from ictrack.tracking.heads import MemoryTracker

TrackerFactory = Callable[[int, int], BaseTracker]


class VideoEvaluator(DatasetEvaluator):
    """Evaluator that tracks the detections of each video.

    It gets a model's output frame by frame, in the order of :func:`ictrack.data.build.build_video_test_loader`. Each
    video has a new tracker, whose output for a frame is recorded at once, so that no frame is kept.
    """

    def __init__(self, tracker: CfgNode | TrackerFactory) -> None:
        """
        Args:
            tracker: Configuration whose TRACKER_HEADS names the tracker, or a function of (height, width) that returns
                a tracker.
        """
        if isinstance(tracker, CfgNode):
            self._make_tracker: TrackerFactory = lambda height, width: build_tracker(tracker, height, width)
        else:
            self._make_tracker = tracker
        self._video: dict[str, Any] | None = None

    def reset(self) -> None:
        """Forget a video that was not finished."""
        self._video = None
        self._num_frames = 0

    def process(self, inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Instances]]) -> None:
        """Track the detections of frames.

        Args:
            inputs: Frames with ``video_id``, ``frame_index``, ``video_length``, ``height`` and ``width``.
            outputs: ``{"instances": Instances}`` for each frame.

        Raises:
            ValueError: frames are missing or out of order, or detections do not fit the data set.
        """
        for frame, output in zip(inputs, outputs):
            if frame["frame_index"] == 0:
                self._end_video()
                self._video = frame
                self._tracker = self._make_tracker(frame["height"], frame["width"])
                self._num_frames = 0
                self._start(frame)
            elif self._video is None or (frame["video_id"], frame["frame_index"]) != (
                self._video["video_id"],
                self._num_frames,
            ):
                raise ValueError(f"{describe(frame)} came out of order; use build_video_test_loader")
            self._num_frames += 1
            try:
                found = plain_instances(output["instances"])
            except ValueError as error:
                raise ValueError(f"{describe(frame)}: {error}") from error
            instances = self._select(frame, found)
            if not isinstance(self._tracker, MemoryTracker):  # a MemoryTracker filters on the device first
                instances = instances.to("cpu")
            self._record(frame, current_detections(self._tracker.update(instances)).to("cpu"))

    def _end_video(self) -> None:
        """Close the video that is open, if one is. Raises ValueError if frames of it are missing."""
        if self._video is None:
            return
        video, self._video = self._video, None
        if self._num_frames != video["video_length"]:
            raise ValueError(
                f"video {video['video_id']} has {video['video_length']} frames, {self._num_frames} came before the "
                "next video or the end"
            )
        self._finish(video)

    @abstractmethod
    def _select(self, frame: Mapping[str, Any], instances: Instances) -> Instances:
        """Detections that enter the tracker, with the data set's classes."""

    @abstractmethod
    def _start(self, frame: Mapping[str, Any]) -> None:
        """Start a video, of which ``frame`` is the first."""

    @abstractmethod
    def _record(self, frame: Mapping[str, Any], tracked: Instances) -> None:
        """Record the tracker's output for a frame, with the field ``ID``."""

    @abstractmethod
    def _finish(self, video: Mapping[str, Any]) -> None:
        """Finish the video of which ``video`` is the first frame."""


def describe(frame: Mapping[str, Any]) -> str:
    """Name of a frame in messages."""
    return f"frame {frame['frame_index']} of video {frame['video_id']}"
