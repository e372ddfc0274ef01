"""Backbone of NanoDet-g: cross-stage-partial blocks and a path aggregation network without convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import Tensor, nn
from torch.nn import functional as F

# Slope of all activations (github.com/RangiLyu/nanodet, configuration of NanoDet-g).
NEGATIVE_SLOPE = 0.1


def conv_act(in_channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution with a bias, into which the published normalization is folded, and the activation."""
    conv = nn.Conv2d(in_channels, out_channels, 3, stride, 1)
    nn.init.kaiming_normal_(conv.weight, a=NEGATIVE_SLOPE)
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return nn.Sequential(conv, nn.LeakyReLU(NEGATIVE_SLOPE))


class CspStep(nn.Module):
    """Reduction to half of the channels, and a convolution of it beside itself."""

    def __init__(self, channels: int):
        super().__init__()
        self.reduce = conv_act(channels, channels // 2)
        self.convolve = conv_act(channels // 2, channels // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        x = self.reduce(x)
        return torch.cat([self.convolve(x), x], dim=1)


class CspBlock(nn.Module):
    """Entry convolution, steps and an exit convolution on one path, and the entry again beside their output.

    Doubles the channels.
    """

    def __init__(self, channels: int, num_steps: int, stride: int):
        super().__init__()
        self.entry = conv_act(channels, channels, stride)
        self.steps = nn.ModuleList(CspStep(channels) for _ in range(num_steps))
        self.exit = conv_act(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 C, H / stride, W / stride)."""
        x = entry = self.entry(x)
        for step in self.steps:
            x = step(x)
        return torch.cat([self.exit(x), entry], dim=1)


class CspPan(Backbone):
    """Stages ``res2`` (stride 4) to ``res5`` (stride 32) of cross-stage-partial blocks, and levels ``p3`` to ``p5``.

    The path aggregation network adds bilinearly resized levels, coarse to fine and then fine to coarse, to 1x1
    convolutions of the stages. Heads that tell objects apart should read the stages: the pyramid is trained to tell
    categories apart.
    """

    def __init__(self, *, in_channels: int = 3, widths: Sequence[int], depths: Sequence[int], out_channels: int):
        """
        Args:
            in_channels: Channels of the image.
            widths: Channels that enter each of the four blocks, which double them; the first is the stem's.
            depths: Number of residual steps of each block.
            out_channels: Channels of the levels.
        """
        super().__init__()
        if len(widths) != 4 or len(depths) != 4 or any(b != 2 * a for a, b in zip(widths, widths[1:])):
            raise ValueError(
                f"MODEL.NANODET.WIDTHS {list(widths)} must be four, each twice the one before, "
                f"and DEPTHS {list(depths)} four"
            )
        self.stem = nn.Sequential(*conv_act(in_channels, widths[0], 2), nn.MaxPool2d(3, 2, 1))
        strides = (1, 2, 2, 2)
        self.stages = nn.ModuleList(CspBlock(*block) for block in zip(widths, depths, strides))
        self.laterals = nn.ModuleList(nn.Conv2d(2 * width, out_channels, 1) for width in widths[1:])
        names = [f"res{level}" for level in (2, 3, 4, 5)] + [f"p{level}" for level in (3, 4, 5)]
        channels = [2 * width for width in widths] + 3 * [out_channels]
        shapes = zip(names, channels, (4, 8, 16, 32, 8, 16, 32))
        self._shapes = {name: ShapeSpec(channels=width, stride=stride) for name, width, stride in shapes}

    @property
    def size_divisibility(self) -> int:
        return 32

    def output_shape(self) -> dict[str, ShapeSpec]:
        return dict(self._shapes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) images, H and W multiples of 32 -> stages and levels by name."""
        x = self.stem(x)
        taps = []
        for stage in self.stages:
            x = stage(x)
            taps.append(x)
        fine, middle, coarse = (lateral(tap) for lateral, tap in zip(self.laterals, taps[1:]))
        middle = middle + _resized(coarse, middle)
        p3 = fine + _resized(middle, fine)
        p4 = middle + _resized(p3, middle)
        p5 = coarse + _resized(p4, coarse)
        return dict(zip(self._shapes, [*taps, p3, p4, p5]))


def _resized(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


@BACKBONE_REGISTRY.register()
def build_csp_pan_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> CspPan:
    """Backbone of cfg.MODEL.NANODET."""
    nanodet = cfg.MODEL.NANODET
    return CspPan(
        in_channels=input_shape.channels or 3,
        widths=nanodet.WIDTHS,
        depths=nanodet.DEPTHS,
        out_channels=nanodet.CONV_DIM,
    )
