"""Backbone that only serves an embedding head, beside a detector that has its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.structures import ImageList
from torch import Tensor, nn


class FeatureBackbone(nn.Module):
    """Backbone with the normalization and the channel order of its own, on the images that the detector gets.

    What a detector's pyramid computes tells categories apart; features of an ImageNet classifier tell objects apart
    better, and are there for detectors without a backbone.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self, backbone: Backbone, *, pixel_mean: Sequence[float], pixel_std: Sequence[float], reverse_channels: bool
    ):
        """
        Args:
            backbone: Backbone.
            pixel_mean, pixel_std: Values by channel, in the order of the backbone's input.
            reverse_channels: Whether images come in the other order (BGR for RGB).
        """
        super().__init__()
        self.backbone = backbone
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        self.reverse_channels = reverse_channels

    @classmethod
    def from_config(cls, cfg: CfgNode) -> FeatureBackbone | None:
        """Backbone ``cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE``; None if the name is empty.

        Its pretrained weights are always read: MODEL.WEIGHTS may hold the bare detector.
        """
        options = cfg.MODEL.EMBEDDED_DETECTOR.FEATURES
        if not options.BACKBONE:
            return None
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.WEIGHTS = ""
        return cls(
            BACKBONE_REGISTRY.get(options.BACKBONE)(cfg, ShapeSpec(channels=len(options.PIXEL_MEAN))),
            pixel_mean=options.PIXEL_MEAN,
            pixel_std=options.PIXEL_STD,
            reverse_channels=cfg.INPUT.FORMAT != options.FORMAT,
        )

    def forward(self, images: Sequence[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of images (C, h, w), and (H, W) of the padded input."""
        prepared = []
        for image in images:
            image = image.to(self.pixel_mean.device)
            prepared.append(((image.flip(0) if self.reverse_channels else image) - self.pixel_mean) / self.pixel_std)
        batch = ImageList.from_tensors(prepared, self.backbone.size_divisibility).tensor
        return self.backbone(batch), (batch.shape[-2], batch.shape[-1])
