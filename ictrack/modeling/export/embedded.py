"""Detector of boxes with an embedding head, as one function of tensors."""

from __future__ import annotations

import torch
from detectron2.layers import batched_nms
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.embedded_detector import EmbeddedDetector
from ictrack.modeling.nanodet import NanoDet
from ictrack.modeling.tracing import map_extent

from .embeddings import ExportError, Located, embed
from .image_input import image_extent, prepare_image


class EmbeddedDetections(nn.Module):
    """Detections in one image, those of :meth:`EmbeddedDetector.forward` with a NanoDet up to rounding."""

    input_names = ("image", "output_size")
    output_names = ("scores", "pred_classes", "pred_boxes", "embeddings")

    def __init__(self, model: EmbeddedDetector) -> None:
        """Raises ExportError if the detector is another one, or the model has a head for masks."""
        super().__init__()
        if type(model.detector) is not NanoDet:
            raise ExportError(
                f"MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE {type(model.detector).__name__} cannot be exported; "
                "NanoDet can"
            )
        if model.box_mask_head is not None:
            raise ExportError("MODEL.BOX_MASK cannot be exported; set MODEL.BOX_MASK.ENABLED to False")
        self.model = model

    def forward(self, image: Tensor, output_size: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            image: (h, w, 3) uint8, channels in the model's order.
            output_size: (2,) int64 height and width to which boxes are scaled.

        Returns:
            scores (N,) in falling order, classes (N,) int64, boxes (N, 4) XYXY and embeddings (N, D).
        """
        detector, own = self.model.detector, self.model.feature_backbone
        padded = prepare_image(image, detector.pixel_mean, detector.pixel_std, detector.backbone.size_divisibility)
        features = detector.backbone(padded)
        levels = [features[name] for name in detector.in_features]
        logits, sides = detector.head(levels)
        boxes = detector.head.boxes(sides, *detector.head.cells(levels))[0]
        size = image_extent(image).flip(0).to(boxes)  # width, height
        scores, classes, boxes, is_detection = select(detector, logits[0].float().sigmoid(), boxes, size)

        if own is not None:
            ordered = image.flip(2) if own.reverse_channels else image
            padded = prepare_image(ordered, own.pixel_mean, own.pixel_std, own.backbone.size_divisibility)
            features = own.backbone(padded)
        output = output_size.flip(0).to(boxes)
        scaled = (boxes * (output / size).repeat(2)).clamp(min=0).minimum(output.repeat(2))
        # As pad_instances does: a whole number of the output's pixels.
        padded_output = (map_extent(padded) * output / size).round()
        embeddings = embed(self.model.embedding_head, features, Located(boxes=scaled / padded_output.repeat(2)))
        has_area = (scaled[:, 2:] > scaled[:, :2]).all(1)
        rows = (is_detection & has_area).nonzero()[:, 0]
        return tuple(x[rows] for x in (scores, classes, scaled, embeddings))


def select(detector: NanoDet, scores: Tensor, boxes: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Detections that :meth:`NanoDet.select` selects, and one that does not count, which keeps all from being empty.

    Args:
        detector: Detector.
        scores: (A, K) probabilities.
        boxes: (A, 4) XYXY.
        size: (2,) width and height to which boxes are clipped.

    Returns:
        Scores (N,) in falling order, classes (N,), boxes (N, 4), and whether each counts (N,) bool.
    """
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
    return found[kept], classes[kept], clipped[kept], is_detection
