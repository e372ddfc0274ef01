"""Meta-architecture whose detections are there already: in a file, or what a Python function says."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Instances
from torch import nn

from ictrack.structures.detections import DetectionSource, frame_of_arrays, frame_of_supervision, read_detections
from ictrack.structures.frame_tracks import FrameTracks

from .featureless_detector import FeaturelessDetector
from .frame_instances import to_instances

logger = logging.getLogger(__name__)

# What a function of a frame may return: our detections, Detectron2's, supervision's, or arrays (N, 4..6) of XYXY, score
# and class.
Answer = Any


@META_ARCH_REGISTRY.register()
class GivenDetections(FeaturelessDetector):
    """Detector that looks its detections up.

    It fits wherever a Detectron2 detector does: inside :class:`EmbeddedDetector`, with a backbone for the embeddings
    (``MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE``), behind a tracker, and in an evaluation. It has nothing to train.

    Attributes:
        class_names: Names of the contiguous classes of its detections; None if they are unknown.
        joint_names: Names of the joints of poses; empty if there are none, or if they are unknown.
        category_ids: Ids of the classes in the file; None if they are unknown.
    """

    @configurable
    def __init__(
        self, source: DetectionSource | Callable[[dict[str, Any]], Answer], class_names: Sequence[str] | None = None
    ) -> None:
        """
        Args:
            source: Detections of a file, or a function that is called with the input of each frame, in which it finds
                ``image`` (C, h, w), ``height``, ``width`` and, from a video, ``frame_index``, and returns
                :class:`FrameTracks` at the size (height, width), Detectron2's Instances, ``supervision.Detections``, or
                an array (N, 4), (N, 5) or (N, 6) of x0, y0, x1, y1, score, class.
            class_names: Names of the classes; a file's classes are matched by their names, and detections of others
                are left out. None: those of the file.

        Raises:
            ValueError: None of the file's classes is in ``class_names``.
        """
        super().__init__()
        self.source = source
        self.class_names = None if class_names is None else list(class_names)
        self.joint_names: tuple[str, ...] = ()
        self.category_ids: list[int] | None = None
        self._classes: np.ndarray | None = None
        if isinstance(source, DetectionSource):
            self.joint_names = source.joint_names
            if class_names:
                self._classes = _matched_classes(source, class_names)
            else:
                self.class_names = list(source.class_names)
                self.category_ids = None if source.category_ids is None else list(source.category_ids)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        given = cfg.MODEL.GIVEN_DETECTIONS
        if not given.FILE:
            raise ValueError("MODEL.GIVEN_DETECTIONS.FILE is empty: name the file of detections")
        source = read_detections(given.FILE, given.FORMAT or None, images=given.IMAGES or None)
        return {"source": source, "class_names": list(cfg.MODEL.CLASSES) or None}

    def end_video(self, *, is_complete: bool) -> None:
        """Say that a video is at its end, see :meth:`DetectionSource.end_video`."""
        if isinstance(self.source, DetectionSource):
            self.source.end_video(is_complete=is_complete)

    def _detect(self, record: dict[str, Any]) -> Instances:
        """Instances of a frame, with ``scores``, ``pred_classes``, ``pred_boxes`` and, where there are any,
        ``pred_masks`` and ``pred_keypoints``.

        Args:
            record: ``height`` and ``width``, and ``frame_index`` or ``file_name`` or both, and ``video_name`` where the
                detections are of several videos; without it, the name of the image's folder is taken. The image is not
                looked at.

        Raises:
            AnnotationError: The file's detections do not fit the frame, see :meth:`DetectionSource.frame`.
            ValueError: The input has no ``frame_index`` and no ``file_name``, or a function's answer is none.
        """
        size = (int(record["height"]), int(record["width"]))
        if not isinstance(self.source, DetectionSource):
            return _instances(self.source(record), int(record.get("frame_index", 0)), size)
        name = record.get("file_name", "")
        if "frame_index" not in record and not name:
            raise ValueError("given detections need to know the frame: its input has no frame_index and no file_name")
        frame = self.source.frame(
            record.get("frame_index", -1),
            size,
            file_name=PurePath(name).name,
            video_name=str(record.get("video_name") or PurePath(name).parent.name),
        )
        instances = to_instances(replace(frame, ids=None), size)  # a tracker gives identities
        if self._classes is None or not len(instances):
            return instances
        instances.pred_classes = torch.from_numpy(self._classes[frame.classes])
        return instances[instances.pred_classes >= 0]


def given_detections(model: nn.Module) -> GivenDetections | None:
    """Module of given detections in a model; None if it has none."""
    return next((module for module in model.modules() if isinstance(module, GivenDetections)), None)


def _matched_classes(source: DetectionSource, class_names: Sequence[str]) -> np.ndarray:
    """Index in ``class_names`` of each of the file's classes, -1 for others; a nameless "class 3" is the index 3."""
    indices = {name.lower(): index for index, name in enumerate(class_names)}
    indices = {**{f"class {index}": index for index in range(len(class_names))}, **indices}
    matched = np.array([indices.get(name.lower(), -1) for name in source.class_names], dtype=np.int64)
    others = [name for name, index in zip(source.class_names, matched) if index < 0]
    if others and len(others) == len(matched):
        raise ValueError(
            f"{source.where}: none of its classes ({', '.join(others[:5])}) is in MODEL.CLASSES "
            f"({', '.join(list(class_names)[:5])})"
        )
    if others:
        logger.warning("%s: detections of %s are left out: not in MODEL.CLASSES", source.where, ", ".join(others))
    return matched


def _instances(answer: Answer, index: int, size: tuple[int, int]) -> Instances:
    """Instances of what a function returned."""
    if isinstance(answer, Instances):
        if answer.image_size != size:
            raise ValueError(f"frame {index}: Instances of an image of {answer.image_size}, the frame is {size}")
        return answer
    if isinstance(answer, FrameTracks):
        return to_instances(answer, size)
    if hasattr(answer, "xyxy"):
        return to_instances(frame_of_supervision(index, answer), size)
    rows = np.asarray(answer, dtype=np.float64)
    rows = rows.reshape(0, 4) if not rows.size else rows
    if rows.ndim != 2 or not 4 <= rows.shape[1] <= 6:
        raise ValueError(f"frame {index}: an array of shape {rows.shape}, must be (N, 4), (N, 5) or (N, 6)")
    scores = rows[:, 4] if rows.shape[1] > 4 else None
    return to_instances(frame_of_arrays(index, rows[:, :4], scores, rows[:, 5] if rows.shape[1] > 5 else None), size)
