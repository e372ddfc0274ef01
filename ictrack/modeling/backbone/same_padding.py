"""TensorFlow's padding of timm's models where PyTorch's exporter cannot compute it from a variable size."""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def pad_by_constants(model: nn.Module) -> None:
    """Make timm's convolutions with TensorFlow's padding exportable, in place.

    timm computes the padding from the map's size, by a rounded quotient that torch.export does not simplify, so that
    the sizes in a deep network become too long to compare. A map whose sides are multiples of the stride, as all are in
    a backbone whose input is, has the same padding at every size. Only what torch.export records is changed.
    """
    conv2d_same, constant = _classes()
    for module in model.modules():
        if type(module) is conv2d_same:
            module.__class__ = constant


@functools.cache
def _classes() -> tuple[type, type]:
    """timm's convolution, and the one in its place."""
    from timm.layers.conv2d_same import Conv2dSame  # timm is slow to import

    class ConstantConv2dSame(Conv2dSame):
        def forward(self, x: Tensor) -> Tensor:
            if not torch.compiler.is_compiling():
                return super().forward(x)
            padding: list[int] = []
            for kernel, stride, dilation in zip(self.kernel_size, self.stride, self.dilation):
                total = max((kernel - 1) * dilation + 1 - stride, 0)
                padding = [total // 2, total - total // 2, *padding]
            return F.conv2d(F.pad(x, padding), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    return Conv2dSame, ConstantConv2dSame
