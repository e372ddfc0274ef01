"""Backbone that passes the image through, for heads that read pixels."""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import Tensor

PIXELS = "pixels"


@BACKBONE_REGISTRY.register()
class PixelBackbone(Backbone):
    """Backbone with one feature, "pixels": its input."""

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec) -> None:
        super().__init__()
        self._out_features = [PIXELS]
        self._out_feature_strides = {PIXELS: 1}
        self._out_feature_channels = {PIXELS: input_shape.channels or 3}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """{"pixels": images} (B, 3, H, W)."""
        return {PIXELS: images}
