"""Detector and tracker on a user's own video, with memory that does not grow with its length."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.structures import Instances
from detectron2.tracking.base_tracker import BaseTracker
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.frame_resize import FrameResize
from ictrack.evaluation.detector_classes import detector_classes
from ictrack.modeling.build import build_model
from ictrack.modeling.given_detections import given_detections
from ictrack.modeling.mixed_precision import autocast
from ictrack.structures.categories import class_indices
from ictrack.structures.joints import JointSet, configured_joints, joint_set_of
from ictrack.tracking import build_tracker, current_detections, plain_instances
from ictrack.tracking.instances import select_rows

from .frame_tracker import FrameTracker

logger = logging.getLogger(__name__)


class VideoTracker(FrameTracker):
    """Detector and online tracker, fed frame by frame. Tracked detections are Instances on the CPU, with ``ID``.

    Example::

        tracker = VideoTracker.from_config(cfg)
        for frame, instances in tracker.run("street.mp4"):
            print(instances.ID, instances.pred_classes, instances.scores)

    See :class:`FrameTracker <ictrack.engine.frame_tracker.FrameTracker>` for its attributes.
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
            max_size: Largest longer side after resizing; 0: no limit.
            image_format: Channel order of the detector's input, "BGR" or "RGB".
            amp: Whether to run the detector in mixed precision where the hardware has it.
            class_names, category_ids, joints, min_joint_score: See :class:`FrameTracker`.
            classes: Contiguous classes to track; None: all.
        """
        if image_format not in ("BGR", "RGB"):
            raise ValueError(f"INPUT.FORMAT is {image_format!r}, must be BGR or RGB")
        super().__init__(
            class_names=class_names, category_ids=category_ids, joints=joints, min_joint_score=min_joint_score
        )
        self.model = model.eval()
        self.make_tracker = make_tracker
        self.resize = FrameResize(min_size, max_size)
        self.image_format = image_format
        self.amp = amp
        self.classes = None if classes is None else torch.tensor(sorted(classes))
        self._num_found, self._num_tracked, self._best_score = 0, 0, 0.0

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

    def start(self, size: tuple[int, int], state: Mapping[str, np.ndarray] | None = None) -> None:
        self._num_found, self._num_tracked, self._best_score = 0, 0, 0.0
        self.end_video(is_complete=False)  # of a video that was not read to its end
        super().start(size, state)

    def end_video(self, *, is_complete: bool) -> None:
        """Tell given detections that were not tracked, or that all of a detector's own were not, and compare given ones
        with the video's frames; see :meth:`FrameTracker.end_video`.

        Raises:
            AnnotationError: The detections of a file are none of this video's.
        """
        given = given_detections(self.model)
        num_missing = self._num_found - self._num_tracked
        # Of a detector's own, many score too little; that all do is news.
        if num_missing and (given is not None or not self._num_tracked):
            logger.warning(
                f"{num_missing} of {self._num_found} detections were not tracked: they score less than "
                "TRACKER_HEADS.MIN_SCORE or, where they continue no track, than NEW_TRACK_SCORE, or overlap there with "
                f"one that does by more than NEW_TRACK_MAX_OVERLAP; the best scores {self._best_score:.2f}"
            )
        self._num_found, self._num_tracked, self._best_score = 0, 0, 0.0
        if given is not None:
            given.end_video(is_complete=is_complete)

    def _new_tracker(self, size: tuple[int, int]) -> BaseTracker:
        return self.make_tracker(*size)

    def _identify(self, detections: Instances) -> Instances:
        tracks = current_detections(self.tracker.update(detections)).to("cpu")
        self._num_found += len(detections)
        self._num_tracked += len(tracks)
        if len(detections) and detections.has("scores"):
            self._best_score = max(self._best_score, float(detections.scores.max()))
        return tracks

    @torch.no_grad()
    def detect(self, frame: np.ndarray, record: Mapping[str, Any] | None = None) -> Instances:
        """Detections in a frame, on the model's device; see :meth:`FrameTracker.detect`."""
        height, width = frame.shape[:2]
        image = frame[:, :, ::-1] if self.image_format == "RGB" else frame
        image = self.resize(image)
        tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        device = next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))
        with autocast(device.type, self.amp):
            output = self.model([{**(record or {}), "image": tensor, "height": height, "width": width}])[0]
        if "instances" not in output:
            raise ValueError(f"{type(self.model).__name__} finds no instances: its output has {sorted(output)}")
        found = plain_instances(output["instances"])
        if found.image_size != (height, width):
            raise ValueError(
                f"{type(self.model).__name__} returned Instances of an image of {found.image_size}, the frame is "
                f"{(height, width)}: it must scale them to the input's height and width"
            )
        if self.classes is None:
            return found
        wanted = torch.isin(found.pred_classes, self.classes.to(found.pred_classes.device))
        return select_rows(found, wanted.nonzero().squeeze(1).numpy(force=True))


def stated_classes(model: nn.Module) -> list[str] | None:
    """Names of the classes that a part of a model states, such as given detections; None if none does."""
    stated = (getattr(module, "class_names", None) for module in model.modules())
    return next((list(names) for names in stated if names), None)


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
