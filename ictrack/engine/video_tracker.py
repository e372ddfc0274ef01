"""Detector and tracker on a user's own video, with memory that does not grow with its length."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.data import transforms as T
from detectron2.structures import Instances
from detectron2.tracking.base_tracker import BaseTracker
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.video_io import FrameStream, VideoReadError, open_frames
from ictrack.evaluation.detector_classes import detector_classes
from ictrack.modeling.build import build_model
from ictrack.modeling.given_detections import given_detections
from ictrack.modeling.mixed_precision import autocast
from ictrack.structures.categories import class_indices
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.joints import JointSet, configured_joints, joint_set_of
from ictrack.tracking import build_tracker, current_detections

from .frame_tracks import to_frame_tracks
from .pipeline import Prefetcher, StageClock

logger = logging.getLogger(__name__)


class VideoTracker:
    """Detector and online tracker, fed frame by frame.

    Example::

        tracker = VideoTracker.from_config(cfg)
        for frame, instances in tracker.run("street.mp4"):
            print(instances.ID, instances.pred_classes, instances.scores)

    Only the tracker's own memory is kept of past frames.

    Attributes:
        tracker: Tracker of the current video; None before the first frame.
        num_frames: Number of frames of the current video so far, including unreadable ones.
    """

    def __init__(
        self,
        model: nn.Module,
        make_tracker: Callable[[int, int], BaseTracker],
        *,
        min_size: int = 0,
        max_size: int = 0,
        image_format: str = "BGR",
        amp: bool = False,
        class_names: Sequence[str] | None = None,
        category_ids: Sequence[int] | None = None,
        joints: JointSet | None = None,
        min_joint_score: float = 0.0,
        classes: Collection[int] | None = None,
    ):
        """
        Args:
            model: Any Detectron2 detector; it is put into evaluation mode.
            make_tracker: Function from a video's (height, width) to its tracker.
            min_size: Size to which the shorter side of frames is resized; 0: no resizing.
            max_size: Largest longer side after resizing.
            image_format: Channel order of the detector's input, "BGR" or "RGB".
            amp: Whether to run the detector in mixed precision where the hardware has it.
            class_names, category_ids: Names and ids of the contiguous categories, for labels and saved tracks.
            joints, min_joint_score: Drawing options for a pose detector, see :class:`TrackDrawer`.
            classes: Contiguous classes to track; None: all.
        """
        if image_format not in ("BGR", "RGB"):
            raise ValueError(f"INPUT.FORMAT is {image_format!r}, must be BGR or RGB")
        self.model = model.eval()
        self.make_tracker = make_tracker
        self.resize = T.ResizeShortestEdge([min_size, min_size], max_size)
        self.image_format = image_format
        self.amp = amp
        self.class_names = class_names
        self.category_ids = category_ids
        self.joints = joints
        self.min_joint_score = min_joint_score
        self.classes = None if classes is None else torch.tensor(sorted(classes))
        self.tracker: BaseTracker | None = None
        self.num_frames = 0
        self._size: tuple[int, int] | None = None
        self._num_given = self._num_tracked = 0

    @classmethod
    def from_config(cls, cfg: CfgNode, *, amp: bool = False, classes: Sequence[str] = ()) -> VideoTracker:
        """Model of ``cfg`` with ``cfg.MODEL.WEIGHTS``, and the tracker of ``cfg.TRACKER_HEADS``.

        Class names are :func:`ictrack.evaluation.detector_classes.detector_classes`. The configuration's data sets need
        not exist; classes without a name are then "class <index>".

        Args:
            cfg: Configuration.
            amp: See the constructor.
            classes: Names of the only classes to track; empty: all.

        Raises:
            CheckpointError: If the weights are missing or cannot be read.
            ValueError: If the detector has no class of a name.
        """
        names, ids = _categories(cfg)
        joints = configured_joints(cfg)
        model = build_model(cfg)
        given = given_detections(model)
        if given is not None:
            joints = joint_set_of(given.joint_names) if given.joint_names else None
            ids = ids or given.category_ids
        names = names or stated_classes(model) or names
        wanted = class_indices(classes, names) if classes else None
        SafeCheckpointer(model, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS).load(cfg.MODEL.WEIGHTS)
        return cls(
            model,
            lambda height, width: build_tracker(cfg, height, width),
            min_size=cfg.INPUT.MIN_SIZE_TEST,
            max_size=cfg.INPUT.MAX_SIZE_TEST,
            image_format=cfg.INPUT.FORMAT,
            amp=amp,
            class_names=names,
            category_ids=ids,
            joints=joints,
            min_joint_score=cfg.TEST.MIN_JOINT_SCORE,
            classes=wanted,
        )

    def run(
        self,
        source: str | os.PathLike | int | FrameStream,
        *,
        recorder: Callable[[FrameTracks], None] | None = None,
        max_frames: int | None = None,
        resume: bool = False,
    ) -> Iterator[tuple[np.ndarray, Instances]]:
        """Track through a video.

        Args:
            source: Source of :func:`ictrack.data.video_io.open_frames`, or an open stream.
            recorder: Function that gets each frame's tracks, without dense masks; ``list.append`` would keep them.
            max_frames: Number of frames after which to stop.
            resume: Whether to keep the tracker's state, as if ``source`` continued the previous video.

        Yields:
            BGR uint8 frame (H, W, 3), and its tracked Instances on the CPU at that size, with ``ID`` (N,) int64.

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
            first = self.num_frames
            with (
                self.warning_of_left_out(frames.name),
                Prefetcher(frames, StageClock(), "decode", frames.stop) as numbered,
            ):
                for index, frame in numbered:
                    if max_frames is not None and index >= max_frames:
                        break
                    record = frames.frame_record(index)
                    record["frame_index"] += first
                    instances = self.track(frame, first + index, record=record)
                    if recorder is not None:
                        name, seconds = frames.frame_name(index), first / frames.fps + frames.frame_time(index)
                        recorder(to_frame_tracks(instances, first + index, file_name=name, time=seconds))
                    yield frame, instances
                else:
                    self.end_video(is_complete=not first and not frames.is_part)

    def start(self, size: tuple[int, int], state: Mapping[str, np.ndarray] | None = None) -> None:
        """Begin a video of ``size`` (H, W), or go on with one.

        Args:
            size: Height and width of the frames.
            state: State of the tracker of the frames before; None: it is the beginning.

        Raises:
            ValueError: the state is none of this tracker's.
        """
        self.tracker, self.num_frames, self._size = self.make_tracker(*size), 0, size
        self._num_given = self._num_tracked = 0
        self.end_video(is_complete=False)  # of a video that was not read to its end
        if state is not None:
            self.tracker.load_state_dict(state)

    def end_video(self, *, is_complete: bool) -> None:
        """Say that the video is at its end; given detections are then compared with its frames.

        Args:
            is_complete: Whether all of its frames were tracked.

        Raises:
            AnnotationError: The detections of a file are none of this video's.
        """
        given = given_detections(self.model)
        if given is None:
            return
        if self._num_tracked < self._num_given:
            logger.warning(
                f"{self._num_given - self._num_tracked} of {self._num_given} given detections were not tracked: they "
                "score less than TRACKER_HEADS.MIN_SCORE or, where they continue no track, than NEW_TRACK_SCORE"
            )
        self._num_given = self._num_tracked = 0
        given.end_video(is_complete=is_complete)

    def track(
        self,
        frame: np.ndarray,
        index: int,
        clock: StageClock | None = None,
        record: Mapping[str, Any] | None = None,
    ) -> Instances:
        """Tracked detections of the next frame of the video that :meth:`start` began.

        Args:
            frame: BGR uint8 (H, W, 3).
            index: 0-based index of the frame, greater than the last one's.
            clock: Clock of the stages "detect", which waits for the device, and "track".
            record: What the detector is told of the frame, see :meth:`FrameStream.frame_record`.

        Returns:
            Instances on the CPU at the frame's size, with ``ID`` (N,) int64.
        """
        clock = clock or StageClock()
        assert self.tracker is not None, "start() begins a video"
        with clock("detect"):
            detections = self.detect(frame, record)
            self._num_given += len(detections)
        with clock("track"):
            instances = current_detections(self.tracker.update(detections)).to("cpu")
        self._num_tracked += len(instances)
        self.num_frames = index + 1
        return instances

    @contextmanager
    def warning_of_left_out(self, name: str) -> Iterator[None]:
        """Context of a video, at whose end there is a warning if detections were not tracked."""
        left_out = _num_left_out(self.tracker)
        try:
            yield
        finally:
            left_out = _num_left_out(self.tracker) - left_out
            if left_out:
                logger.warning(
                    f"{name}: {left_out} detections were not tracked, since their frames had more than "
                    f"TRACKER_HEADS.MAX_DETECTIONS"
                )

    def video_info(self, frames: FrameStream) -> VideoInfo:
        """Facts about a video and the detector's classes and joints, for files of its tracks."""
        return VideoInfo(
            frames.name,
            frames.height,
            frames.width,
            frames.fps,
            tuple(self.class_names or ()),
            tuple(self.category_ids or ()),
            self.joints.names if self.joints is not None else (),
        )

    @torch.no_grad()
    def detect(self, frame: np.ndarray, record: Mapping[str, Any] | None = None) -> Instances:
        """Detections in a frame.

        Args:
            frame: BGR uint8 (H, W, 3).
            record: More for the detector's input, such as ``frame_index``, see :meth:`FrameStream.frame_record`.

        Returns:
            Instances at the frame's size, on the model's device.
        """
        height, width = frame.shape[:2]
        image = frame[:, :, ::-1] if self.image_format == "RGB" else frame
        image = self.resize.get_transform(image).apply_image(image)
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        device = next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))
        with autocast(device.type, self.amp):
            found = self.model([{**(record or {}), "image": tensor, "height": height, "width": width}])[0]["instances"]
        if self.classes is None:
            return found
        return found[torch.isin(found.pred_classes, self.classes.to(found.pred_classes.device))]


def stated_classes(model: nn.Module) -> list[str] | None:
    """Names of the classes that a part of a model states, such as given detections; None if none does."""
    stated = (getattr(module, "class_names", None) for module in model.modules())
    return next((list(names) for names in stated if names), None)


def _num_left_out(tracker: BaseTracker | None) -> int:
    """Number of detections beyond the limit; Detectron2's own trackers do not count them."""
    return getattr(tracker, "num_left_out", 0)


def _categories(cfg: CfgNode) -> tuple[list[str] | None, list[int] | None]:
    """Names of the detector's classes and, where its training set has them, their ids in files.

    Names are None without MODEL.CLASSES and DATASETS.TRAIN, and [] where DATASETS.TRAIN cannot be read.
    """
    try:
        register_configured_datasets(cfg)
    except (OSError, ValueError) as error:
        logger.warning("a data set of the configuration cannot be used; tracking goes on without it: %s", error)
    names = detector_classes(cfg)
    if names is None and cfg.DATASETS.TRAIN:
        names = []
        logger.warning(
            'names of classes are unknown and shown as "class 0" and so on: set MODEL.CLASSES (DATASETS.TRAIN is %s)',
            ", ".join(cfg.DATASETS.TRAIN),
        )
    metadata = MetadataCatalog.get(cfg.DATASETS.TRAIN[0]) if cfg.DATASETS.TRAIN else None
    to_contiguous = metadata and metadata.get("thing_dataset_id_to_contiguous_id")
    if names is None or not to_contiguous or len(to_contiguous) != len(names):
        return names, None
    return names, sorted(to_contiguous, key=to_contiguous.__getitem__)
