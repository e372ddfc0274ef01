"""Deformable convolutions whose taps are moved by a convolution of their own input (Dai et al., ICCV 2017; Zhu et al.,
CVPR 2019), by torchvision: Detectron2's need its compiled operators, and have none for a CPU."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import deform_conv2d

from .mixed_precision import full_precision
from .tracing import is_exported


class DeformableConv2d(Conv2d):
    """Convolution whose ``offset`` gives each tap a displacement and, if modulated, a factor in 0 to 1."""

    def __init__(self, *args: Any, modulated: bool, **kwargs: Any) -> None:
        """
        Args:
            args, kwargs: Those of :class:`detectron2.layers.Conv2d`.
            modulated: Whether taps have a factor (version 2), or are displaced only (version 1).
        """
        super().__init__(*args, **kwargs)
        self.modulated = modulated
        height, width = self.kernel_size
        self.offset = nn.Conv2d(
            self.in_channels, (3 if modulated else 2) * height * width, self.kernel_size,
            stride=self.stride, padding=self.padding, dilation=self.dilation,
        )  # fmt: skip
        self.reset_offset()

    def reset_offset(self) -> None:
        """Put all taps where they are in a plain convolution."""
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.get_parameter("bias"))

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, h, w) of (B, C, H, W)."""
        taps = self.kernel_size[0] * self.kernel_size[1]
        moved = self.offset(x)
        with full_precision(x.device.type):  # the operator has no half precision on CPUs
            moved = moved.float()
            factors = moved[:, 2 * taps :].sigmoid() if self.modulated else None
            x = self._convolve(x.float(), moved[:, : 2 * taps], factors)
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)

    def _convolve(self, x: Tensor, offsets: Tensor, factors: Tensor | None) -> Tensor:
        """Result without normalization, of offsets (B, 2 taps, h, w) dy and dx and factors (B, taps, h, w)."""
        weight, geometry = self.weight, (self.stride, self.padding, self.dilation)
        if not is_exported():
            return deform_conv2d(x, offsets, weight, self.bias, *geometry, mask=factors)
        # Few programs that run exported models have the operator.
        places = [
            torch.arange(out, device=x.device) * stride - padding
            for out, stride, padding in zip(offsets.shape[-2:], self.stride, self.padding)
        ]
        rows, columns = (torch.arange(k, device=x.device) * d for k, d in zip(self.kernel_size, self.dilation))
        tap_y, tap_x = rows.repeat_interleave(self.kernel_size[1]), columns.repeat(self.kernel_size[0])
        y = offsets[:, 0::2] + (tap_y[:, None, None] + places[0][:, None])
        x_ = offsets[:, 1::2] + (tap_x[:, None, None] + places[1])
        height, width = x.shape[-2:]
        grid = torch.stack([(2 * x_ + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1).flatten(2, 3)
        read = F.grid_sample(x, grid, "bilinear", "zeros", align_corners=False)  # (B, C, taps, h w)
        if factors is not None:
            read = read * factors.flatten(2)[:, None]
        read = read.reshape(x.shape[0], self.groups, -1, read.shape[-1])
        result = weight.reshape(self.groups, weight.shape[0] // self.groups, -1) @ read
        result = result.reshape(x.shape[0], -1, offsets.shape[-2], offsets.shape[-1])
        return result if self.bias is None else result + self.bias[:, None, None]


def deform(convolution: Conv2d, *, modulated: bool) -> DeformableConv2d:
    """Deformable convolution with the weights and the normalization of a plain one."""
    result = DeformableConv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,
        stride=convolution.stride,
        padding=convolution.padding,
        dilation=convolution.dilation,
        groups=convolution.groups,
        bias=convolution.bias is not None,
        norm=convolution.norm,
        activation=convolution.activation,
        modulated=modulated,
    )
    result.weight, result.bias = convolution.weight, convolution.bias
    result.offset.requires_grad_(convolution.weight.requires_grad)
    return result
