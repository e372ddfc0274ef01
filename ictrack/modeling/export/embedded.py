"""Detector of boxes or poses with an embedding head, as one function of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ictrack.modeling.embedded_detector import EmbeddedDetector
from ictrack.modeling.movenet import MoveNet
from ictrack.modeling.nanodet import NanoDet
from ictrack.modeling.tracing import map_extent

from .candidates import Candidates
from .embeddings import ExportError, Located, dense_maps, embed
from .image_input import image_extent, in_multiples, prepare_image
from .movenet import people_found, people_raw
from .nanodet import boxes_found, boxes_raw


class _Parts(NamedTuple):
    """Functions of a detector and the features of its backbone."""

    found: Callable[[Any, dict[str, Tensor], Tensor], Candidates]
    raw: Callable[[Any, dict[str, Tensor]], dict[str, Tensor]]
    has_poses: bool


_DETECTORS: dict[type, _Parts] = {
    NanoDet: _Parts(boxes_found, boxes_raw, has_poses=False),
    MoveNet: _Parts(people_found, people_raw, has_poses=True),
}


class _Embedded(nn.Module):
    """Detector with an embedding head that can be exported."""

    def __init__(self, model: EmbeddedDetector) -> None:
        """Raises ExportError if the detector is another one, or the model has a head for masks."""
        super().__init__()
        if type(model.detector) not in _DETECTORS:
            raise ExportError(
                f"MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE {type(model.detector).__name__} cannot be exported; "
                f"{' and '.join(kind.__name__ for kind in _DETECTORS)} can"
            )
        if model.box_mask_head is not None:
            raise ExportError("MODEL.BOX_MASK cannot be exported; set MODEL.BOX_MASK.ENABLED to False")
        self.model = model
        self.parts = _DETECTORS[type(model.detector)]
        # Powers of two, so that the larger one is a multiple of the other.
        backbones: list[Any] = model.backbones()
        self.size_divisibility: int = max(x.size_divisibility for x in backbones)


class EmbeddedDetections(_Embedded):
    """Detections in one image, those of :meth:`EmbeddedDetector.forward` with a NanoDet or MoveNet up to rounding."""

    input_names = ("image", "output_size")

    def __init__(self, model: EmbeddedDetector) -> None:
        super().__init__(model)
        poses = ("pred_keypoints",) if self.parts.has_poses else ()
        self.output_names = ("scores", "pred_classes", "pred_boxes", *poses, "embeddings")

    def forward(self, image: Tensor, output_size: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            image: (h, w, 3) uint8, channels in the model's order.
            output_size: (2,) int64 height and width to which boxes are scaled.

        Returns:
            scores (N,) in falling order, classes (N,) int64, boxes (N, 4) XYXY, of a detector of poses keypoints
            (N, J, 3), and embeddings (N, D) or (N, P, D).
        """
        detector, own = self.model.detector, self.model.feature_backbone
        padded = prepare_image(image, detector.pixel_mean, detector.pixel_std, detector.backbone.size_divisibility)
        features = detector.backbone(padded)
        size = image_extent(image).flip(0).to(padded)  # width, height
        found = self.parts.found(detector, features, size)

        if own is not None:
            ordered = image.flip(2) if own.reverse_channels else image
            padded = prepare_image(ordered, own.pixel_mean, own.pixel_std, own.backbone.size_divisibility)
            features = own.backbone(padded)
        output = output_size.flip(0).to(size)
        scaled = (found.boxes * (output / size).repeat(2)).clamp(min=0).minimum(output.repeat(2))
        # As pad_instances does: a whole number of the output's pixels.
        extent = map_extent(padded)
        padded_output = (extent * output / size).round()
        results = [found.scores, found.classes, scaled]
        poses = None
        if found.keypoints is not None:
            points, scores = found.keypoints[..., :2] * (output / size), found.keypoints[..., 2:]
            results.append(torch.cat([points, scores], dim=-1))
            poses = torch.cat([points * (extent / padded_output), scores], dim=-1)
        located = Located(boxes=scaled / padded_output.repeat(2), poses=poses)
        results.append(embed(self.model.embedding_head, features, located))
        has_area = (scaled[:, 2:] > scaled[:, :2]).all(1)
        rows = (found.is_detection & has_area).nonzero()[:, 0]
        return tuple(x[rows] for x in results)


class EmbeddedRaw(_Embedded):
    """Outputs of the detector's network for one image, without selection, and the maps of the embedding head."""

    def __init__(self, model: EmbeddedDetector) -> None:
        super().__init__(model)
        self.input_names = ("images",) if model.feature_backbone is None else ("images", "image_size")

    def forward(self, images: Tensor, image_size: Tensor | None = None) -> dict[str, Tensor]:
        """
        Args:
            images: (1, 3, H, W) normalized for the detector, and padded with zeros at the bottom and on the right to
                multiples of ``size_divisibility``.
            image_size: (2,) int64 height and width without padding; for a backbone of the embedding head's own, whose
                input has other numbers of normalization.

        Returns:
            Of NanoDet ``logits`` (1, A, K) and ``boxes`` (1, A, 4) XYXY in pixels, cells level after level and
            row-major; of MoveNet its maps (1, C, h, w) by name. Of the embedding head maps ``embedding_l`` or
            ``embedding``; of two heads ``image_embedding…`` and ``video_embedding…``.
        """
        detector, own = self.model.detector, self.model.feature_backbone
        images = in_multiples(images, self.size_divisibility)
        features = detector.backbone(images)
        result = self.parts.raw(detector, features)
        if own is not None:
            assert image_size is not None
            pixels = images * detector.pixel_std + detector.pixel_mean
            normalized = ((pixels.flip(1) if own.reverse_channels else pixels) - own.pixel_mean) / own.pixel_std
            rows, columns = (torch.arange(side, device=images.device) for side in images.shape[-2:])
            inside = (rows < image_size[0])[:, None] & (columns < image_size[1])
            features = own.backbone(torch.where(inside, normalized, 0.0))
        return {**result, **dense_maps(self.model.embedding_head, features)}
