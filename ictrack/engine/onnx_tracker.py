"""Tracking with an exported model by ONNX Runtime, in a process without PyTorch and Detectron2."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ictrack.data.frame_resize import FrameResize
from ictrack.structures.categories import class_indices
from ictrack.structures.exported_model import DETECTIONS, ExportedModel, ExportedModelError, tracker_config
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.structures.joints import joint_set_of
from ictrack.tracking import ArrayDetections, EmbeddingArrayTracker, SpatialArrayTracker

from .frame_tracker import FrameTracker

TRACKERS: dict[str, Any] = {"EmbeddingTracker": EmbeddingArrayTracker, "SpatialTracker": SpatialArrayTracker}
# Name of a device -> the part of ONNX Runtime that runs there.
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class ArraysTracker(FrameTracker):
    """Tracker of detections in NumPy arrays. Tracked detections are :class:`FrameArrays`."""

    def __init__(self, path: str | os.PathLike, config: Any, **options: Any) -> None:
        """
        Args:
            path: Source of the configuration, for messages.
            config: Configuration of the tracker, see :func:`tracker_config`.
            options: See :class:`FrameTracker`.

        Raises:
            ExportedModelError: the configuration names a tracker that needs Detectron2.
            ValueError: the tracker does not take a value.
        """
        super().__init__(**options)
        self._path = os.fspath(path)
        self._config = config
        self._new_tracker((0, 0))  # a wrong value is an error before the first frame

    def _new_tracker(self, size: tuple[int, int]) -> EmbeddingArrayTracker | SpatialArrayTracker:
        name = self._config.TRACKER_HEADS.TRACKER_NAME
        if name not in TRACKERS:
            raise ExportedModelError(
                f"{self._path}: TRACKER_HEADS.TRACKER_NAME {name!r} is none of {', '.join(TRACKERS)}, which need no "
                "Detectron2"
            )
        kind = TRACKERS[name]
        return kind(**kind.from_config(self._config))

    def _identify(self, detections: dict[str, np.ndarray]) -> FrameArrays:
        rows, ids, classes = self.tracker.identify(ArrayDetections(detections))
        picked = {name: column[rows] for name, column in detections.items()}
        return FrameArrays(
            picked["scores"].astype(np.float64),
            picked["pred_classes"] if classes is None else classes,
            picked["pred_boxes"].astype(np.float64),
            ids,
            picked.get("pred_masks"),
            picked["pred_keypoints"].astype(np.float64) if "pred_keypoints" in picked else None,
        )


class OnnxTracker(ArraysTracker):
    """Exported detector and its tracker, fed frame by frame. Tracked detections are :class:`FrameArrays`.

    Example::

        tracker = OnnxTracker("model.onnx")
        for frame, tracks in tracker.run("street.mp4"):
            print(tracks.ids, tracks.classes, tracks.scores)
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        device: str | None = None,
        classes: Sequence[str] = (),
        overrides: Sequence[str] = (),
    ) -> None:
        """
        Args:
            path: File of ``ictrack export``, with detections.
            device: "cpu" or "cuda"; None: the best that ONNX Runtime has.
            classes: Names of the only classes to track; empty: all.
            overrides: KEY, VALUE, ... of the tracker, see :func:`tracker_config`.

        Raises:
            ExportedModelError: the file cannot be used, ONNX Runtime is missing, or a key is unknown.
            ValueError: the detector has no class of a name, or the tracker does not take a value.
        """
        self._path = os.fspath(path)
        self._session = _open(self._path, device)
        facts = ExportedModel.from_metadata(self._session.get_modelmeta().custom_metadata_map, self._path)
        if facts.outputs != DETECTIONS:
            raise ExportedModelError(
                f"{self._path}: holds the network's {facts.outputs} outputs; tracking needs --outputs {DETECTIONS}"
            )
        super().__init__(
            self._path,
            tracker_config(facts.settings, overrides),
            class_names=facts.class_names,
            category_ids=facts.category_ids,
            joints=joint_set_of(facts.joint_names) if facts.joint_names else None,
            min_joint_score=facts.min_joint_score,
        )
        self.facts = facts
        self.resize = FrameResize(facts.min_size, facts.max_size)
        self._wanted = class_indices(classes, facts.class_names) if classes else None
        self._names = [output.name for output in self._session.get_outputs()]

    def detect(self, frame: np.ndarray, record: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Columns of the detections in a frame, see :class:`ictrack.tracking.detections.Detections`."""
        image = frame[:, :, ::-1] if self.facts.image_format == "RGB" else frame
        image = np.ascontiguousarray(self.resize(image))
        size = np.array(frame.shape[:2], dtype=np.int64)
        try:
            outputs = self._session.run(self._names, {"image": image, "output_size": size})
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise ExportedModelError(f"{self._path}: cannot be run on {image.shape}: {_line(error)}") from error
        columns = dict(zip(self._names, outputs))
        if self._wanted is None:
            return columns
        rows = np.isin(columns["pred_classes"], self._wanted)
        return {name: column[rows] for name, column in columns.items()}


def _open(path: str, device: str | None) -> Any:
    """ONNX Runtime's session of a file."""
    try:
        import onnxruntime
    except ImportError:
        raise ExportedModelError("an exported model is run by ONNX Runtime: pip install onnxruntime") from None
    available = onnxruntime.get_available_providers()
    providers = available
    if device is not None:
        wanted = _PROVIDERS.get(device)
        if wanted not in available:
            usable = [name for name, provider in _PROVIDERS.items() if provider in available]
            raise ExportedModelError(f"this ONNX Runtime does not run on {device!r}, only on {', '.join(usable)}")
        providers = [wanted]
    with open(path, "rb"):  # its error names the file
        pass
    try:
        return onnxruntime.InferenceSession(path, providers=providers)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise ExportedModelError(f"{path}: is no ONNX file that can be run: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
