"""Backbone of MoveNet MultiPose: MobileNetV2 of width 1.5 with a pyramid down to stride 4."""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import Tensor, nn
from torch.nn import functional as F

_STEM = 48
# Output channels and stride of each inverted residual block (Sandler et al., CVPR 2018, Table 2, at width 1.5).
_BLOCKS = (
    (24, 1), (40, 2), (40, 1), (48, 2), (48, 1), (48, 1), (96, 2), (96, 1), (96, 1), (96, 1),
    (144, 1), (144, 1), (144, 1), (240, 2), (240, 1), (240, 1), (480, 1),
)  # fmt: skip
# Last block of each stage, and its name; the last stage ends with the output convolution.
_TAPS = {2: "res2", 5: "res3", 9: "res4"}
_OUTPUT = 1280
# Channels of the lateral convolutions, from coarse to fine.
_LATERALS = ((_OUTPUT, 64), (96, 64), (48, 32), (40, 24))
# Input and output channels of the separable convolutions, from coarse to fine.
_MERGED = ((64, 32), (32, 24), (24, 24))
OUT_CHANNELS = 24


class SameConv2d(nn.Conv2d):
    """3x3 convolution whose padding is TensorFlow's "SAME": with stride 2 on even sizes, only behind."""

    def forward(self, x: Tensor) -> Tensor:
        if self.stride[0] == 2:
            return super().forward(F.pad(x, (0, 1, 0, 1)))
        return super().forward(F.pad(x, (1, 1, 1, 1)))


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution and linear projection, all with folded normalization."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int):
        super().__init__()
        inner = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(inner, inner, 3, stride, groups=inner)
        self.project = nn.Conv2d(inner, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        inner = x if self.expand is None else F.relu6(self.expand(x))
        projected = self.project(F.relu6(self.depthwise(inner)))
        return x + projected if self.residual else projected


class SeparableConv(nn.Module):
    """3x3 depthwise convolution without a bias, 1x1 convolution, ReLU."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.depthwise = nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False)
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H, W)."""
        return F.relu(self.pointwise(self.depthwise(x)))


class MoveNetBackbone(Backbone):
    """Taps ``res2`` (stride 4) to ``res5`` (stride 32) of MobileNetV2, and the pyramid's finest level ``p2``."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = SameConv2d(3, _STEM, 3, 2)
        self.blocks = nn.ModuleList()
        channels = _STEM
        for index, (width, stride) in enumerate(_BLOCKS):
            self.blocks.append(InvertedResidual(channels, width, stride, expansion=6 if index else 1))
            channels = width
        self.output = nn.Conv2d(channels, _OUTPUT, 1)
        self.laterals = nn.ModuleList(nn.Conv2d(*shape, 1) for shape in _LATERALS)
        self.merged = nn.ModuleList(SeparableConv(*shape) for shape in _MERGED)

    @property
    def size_divisibility(self) -> int:
        return 32

    def output_shape(self) -> dict[str, ShapeSpec]:
        widths = {"res2": 40, "res3": 48, "res4": 96, "res5": _OUTPUT}
        shapes = {name: ShapeSpec(channels=width, stride=2 ** int(name[-1])) for name, width in widths.items()}
        return {**shapes, "p2": ShapeSpec(channels=OUT_CHANNELS, stride=4)}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, 3, H, W) RGB images in -1 to 1, H and W multiples of 32 -> features by name."""
        x = F.relu6(self.stem(x))
        features: dict[str, Tensor] = {}
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in _TAPS:
                features[_TAPS[index]] = x
        features["res5"] = F.relu6(self.output(x))
        x = self.laterals[0](features["res5"])
        for lateral, merge, name in zip(self.laterals[1:], self.merged, ("res4", "res3", "res2")):
            tap = features[name]
            x = merge(F.interpolate(x, size=tap.shape[-2:], mode="bilinear", align_corners=False) + lateral(tap))
        features["p2"] = x
        return features


@BACKBONE_REGISTRY.register()
def build_movenet_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> MoveNetBackbone:
    """Backbone of MoveNet MultiPose, whose widths are fixed."""
    return MoveNetBackbone()
