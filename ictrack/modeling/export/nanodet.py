"""NanoDet on one image by tensors alone."""

from __future__ import annotations

import torch
from detectron2.layers import batched_nms
from torch import Tensor
from torch.nn import functional as F

from ictrack.modeling.nanodet import NanoDet

from .candidates import Candidates


def boxes_raw(detector: NanoDet, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """``logits`` (1, A, K) of the classes and ``boxes`` (1, A, 4) XYXY in pixels of the padded input; level
    after level and row-major."""
    levels = [features[name] for name in detector.in_features]
    logits, sides = detector.head(levels)
    return {"logits": logits.float(), "boxes": detector.head.boxes(sides, *detector.head.cells(levels))}


def boxes_found(detector: NanoDet, features: dict[str, Tensor], size: Tensor) -> Candidates:
    """Boxes that :meth:`NanoDet.select` selects, and one that does not count, which keeps all from being empty.

    Args:
        detector: Detector.
        features: Features of its backbone.
        size: (2,) width and height to which boxes are clipped.
    """
    raw = boxes_raw(detector, features)
    scores, boxes = raw["logits"][0].sigmoid(), raw["boxes"][0]
    cells, classes = (scores > detector.score_thresh).nonzero().unbind(1)
    found, order = scores[cells, classes].sort(descending=True)
    order = order[: detector.pre_nms_top_k]
    clipped = boxes[cells[order]].clamp(min=0).minimum(size.repeat(2))
    # The last one lies where no other can be.
    clipped = torch.cat([clipped, (size.repeat(2) + clipped.new_tensor([1.0, 1.0, 2.0, 2.0]))[None]])
    classes, found = F.pad(classes[order], (0, 1)), F.pad(found[: detector.pre_nms_top_k], (0, 1))
    groups = torch.zeros_like(classes) if detector.nms_class_agnostic else classes
    kept = batched_nms(clipped, found, groups, detector.nms_thresh)[: detector.max_detections + 1]
    is_detection = (found[kept] > detector.score_thresh) & (
        torch.arange(kept.shape[0], device=kept.device) < detector.max_detections
    )
    return Candidates(found[kept], classes[kept], clipped[kept], is_detection)
