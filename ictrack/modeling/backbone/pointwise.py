"""1x1 convolutions on one thread of a CPU."""

from __future__ import annotations

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.tracing import is_exported


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, layer: nn.Conv2d) -> Tensor:
    """Convolution (N, D, h, w) of (N, C, H, W) with the geometry of a layer, without gradients.

    On one thread PyTorch computes 1x1 convolutions as plain matrix products after a copy of the bias. By oneDNN, which
    it uses on several threads, they take up to a fifth less time with channels last. Results differ by rounding.
    """
    is_pointwise = weight.shape[2:] == (1, 1) and layer.stride == (1, 1) and layer.padding == (0, 0)
    if (
        is_pointwise
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and x.is_contiguous(memory_format=torch.channels_last)
        and torch.backends.mkldnn.is_available()
        and not is_exported()
    ):
        return torch.mkldnn_convolution(x, weight, bias, (0, 0), (1, 1), (1, 1), layer.groups)
    return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)


class PointwiseConv2d(Conv2d):
    """1x1 convolution; names of the state dict are those of the plain one."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return super().forward(x)
        x = convolve(x, self.weight, self.bias, self)
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)


def use_pointwise(model: nn.Module) -> None:
    """Make a :class:`PointwiseConv2d` of every 1x1 convolution of Detectron2's own class, in place."""
    for module in model.modules():
        if type(module) is Conv2d and module.kernel_size == (1, 1):
            module.__class__ = PointwiseConv2d
