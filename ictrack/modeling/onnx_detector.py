"""Meta-architecture that runs an ONNX file of a box detector with one of the common forms of output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import batched_nms
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances

from .featureless_detector import FeaturelessDetector
from .onnx_file import OnnxError, OnnxSession

# "yolo": (4 + C, N) or (N, 4 + C), center, size and a score for each class; "yolov5": (N, 5 + C), between them the
# probability of an object, which multiplies the scores; "boxes": (N, 6) corners, score, class, of a model that has
# suppressed duplicates itself.
LAYOUTS = ("yolo", "yolov5", "boxes")
_COCO_CLASSES = 80
_PADDING = 114  # gray around the image, as in YOLO


@META_ARCH_REGISTRY.register()
class OnnxDetector(FeaturelessDetector):
    """Box detector in an ONNX file, for example one that was exported from a YOLO.

    Images are fitted into the model's input with their proportions, in the middle of gray. It has nothing to train, and
    no features for embeddings: in an :class:`EmbeddedDetector` it needs
    ``MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE``.

    Attributes:
        class_names: Names of the classes, as the file or else the configuration says; None if neither does.
    """

    @configurable
    def __init__(
        self,
        session: OnnxSession,
        *,
        layout: str = "",
        size: Sequence[int] = (640, 640),
        divisor: float = 255.0,
        reverse_channels: bool = False,
        score_thresh: float = 0.1,
        nms_thresh: float = 0.6,
        nms_class_agnostic: bool = False,
        max_detections: int = 100,
        class_names: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            session: The file.
            layout: One of ``LAYOUTS``; "": by the shape of the output.
            size: Height and width of the input, where the file takes any.
            divisor: Number by which pixels are divided.
            reverse_channels: Whether images come in the other order of channels than the model's.
            score_thresh: Score above which detections are kept.
            nms_thresh: IoU with a better box of the class above which a box is suppressed; not with "boxes".
            nms_class_agnostic: Whether boxes of all classes suppress each other.
            max_detections: Number of best detections that are kept.
            class_names: Names of the classes of a file that does not say them.

        Raises:
            ValueError: ``layout`` is none of ``LAYOUTS``.
        """
        super().__init__()
        if layout and layout not in LAYOUTS:
            raise ValueError(f"MODEL.ONNX.LAYOUT {layout!r} is none of {', '.join(LAYOUTS)}")
        self.session = session
        self.class_names = session.facts.class_names or class_names
        self.layout = layout
        self.size = session.facts.input_size or (int(size[0]), int(size[1]))
        self.divisor = divisor
        self.reverse_channels = reverse_channels
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.nms_class_agnostic = nms_class_agnostic
        self.max_detections = max_detections

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        onnx = cfg.MODEL.ONNX
        if not onnx.FILE:
            raise ValueError("MODEL.ONNX.FILE is empty: name the ONNX file of a detector")
        return {
            "session": OnnxSession(onnx.FILE),
            "layout": onnx.LAYOUT,
            "size": onnx.SIZE,
            "divisor": onnx.DIVISOR,
            "reverse_channels": cfg.INPUT.FORMAT != onnx.FORMAT,
            "score_thresh": onnx.SCORE_THRESH_TEST,
            "nms_thresh": onnx.NMS_THRESH_TEST,
            "nms_class_agnostic": onnx.NMS_CLASS_AGNOSTIC,
            "max_detections": cfg.TEST.DETECTIONS_PER_IMAGE,
            "class_names": list(cfg.MODEL.CLASSES) or None,
        }

    def _detect(self, record: dict[str, Any]) -> Instances:
        """Instances of an image, with ``scores``, ``pred_classes`` and ``pred_boxes``.

        Args:
            record: ``image`` (3, h, w) from 0 to 255, and ``height`` and ``width`` of the results.

        Raises:
            OnnxError: The model cannot be run, or its output has none of the known forms.
        """
        image = record["image"].cpu().numpy().transpose(1, 2, 0)
        image = image[:, :, ::-1] if self.reverse_channels else image
        fitted, scale, left, top = fit_image(np.ascontiguousarray(image, dtype=np.float32), self.size)
        blob = np.ascontiguousarray((fitted / self.divisor).transpose(2, 0, 1)[None], dtype=np.float32)
        boxes, scores, classes = self._decode(self.session.run(blob)[0])
        height, width = record.get("height", image.shape[0]), record.get("width", image.shape[1])
        boxes = (boxes - np.array([left, top] * 2)) / scale
        boxes *= np.array([width / image.shape[1], height / image.shape[0]] * 2)
        found = Instances((height, width))
        found.pred_boxes = Boxes(torch.from_numpy(boxes.astype(np.float32)))
        found.pred_boxes.clip((height, width))
        found.scores = torch.from_numpy(scores.astype(np.float32))
        found.pred_classes = torch.from_numpy(classes.astype(np.int64))
        return found[found.pred_boxes.nonempty()]

    def _decode(self, output: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (N, 4) in pixels of the input, scores (N,) and classes (N,) of the best detections."""
        table = np.asarray(output, dtype=np.float32)
        table = table[0] if table.ndim == 3 and len(table) == 1 else table
        layout = self.layout or guess_layout(table.shape, self.class_names, str(self.session.path))
        if layout == "boxes":
            boxes, scores, classes = table[:, :4], table[:, 4], table[:, 5]
        else:
            table = table.T if table.shape[0] < table.shape[1] else table
            by_class = table[:, 4:] if layout == "yolo" else table[:, 5:] * table[:, 4:5]
            classes = by_class.argmax(axis=1)
            scores = by_class[np.arange(len(table)), classes]
            boxes = np.concatenate([table[:, :2] - table[:, 2:4] / 2, table[:, :2] + table[:, 2:4] / 2], axis=1)
        good = np.flatnonzero((scores > self.score_thresh) & np.isfinite(boxes).all(axis=1))
        rows = good[np.argsort(-scores[good], kind="stable")]
        if layout != "boxes":
            groups = np.zeros_like(classes) if self.nms_class_agnostic else classes
            tensors = [torch.from_numpy(np.ascontiguousarray(values[rows])) for values in (boxes, scores, groups)]
            rows = rows[batched_nms(*tensors, self.nms_thresh).numpy()]
        rows = rows[: self.max_detections]
        return boxes[rows], scores[rows], classes[rows]


def fit_image(image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float, int, int]:
    """Image (h, w, 3) with its proportions in the middle of a gray one of ``size`` (H, W); and the factor by which it
    grew, and its left and top in the result."""
    height, width = image.shape[:2]
    scale = min(size[0] / height, size[1] / width)
    new_height, new_width = max(round(scale * height), 1), max(round(scale * width), 1)
    top, left = (size[0] - new_height) // 2, (size[1] - new_width) // 2
    fitted = np.full((*size, 3), _PADDING, dtype=np.float32)
    resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    fitted[top : top + new_height, left : left + new_width] = resized
    return fitted, scale, left, top


def guess_layout(shape: Sequence[int], class_names: Sequence[str] | None, where: str) -> str:
    """Layout of an output of a shape without the batch. Raises OnnxError if it is none, or could be two."""
    wrong = f"{where}: the output has the shape {tuple(shape)}"
    if len(shape) != 2:
        raise OnnxError(f"{wrong}; known are (4 + C, N), (N, 4 + C), (N, 5 + C) of C classes, and (N, 6)")
    columns = min(shape)
    num_classes = len(class_names) if class_names else _COCO_CLASSES
    if shape[1] == 6 and (class_names is None or num_classes > 2):
        return "boxes"
    if columns == num_classes + 4:
        return "yolo"
    if columns == num_classes + 5:
        return "yolov5"
    if class_names is None and shape[0] < shape[1] and columns > 4:
        return "yolo"
    raise OnnxError(f"{wrong}, which is none of {num_classes} classes; set MODEL.ONNX.LAYOUT to {', '.join(LAYOUTS)}")
