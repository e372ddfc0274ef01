"""Convolutions that apply their frozen batch normalization as a part of themselves where no gradient is needed."""

from __future__ import annotations

import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from .pointwise import convolve


class FoldedConv2d(Conv2d):
    """Convolution with a frozen batch normalization, which is a constant factor and offset of each channel.

    Where gradients are off they are folded into the weights, which saves a pass over each result; the folded weights
    are made when first needed, and again after a weight or the mode has changed. Results differ by rounding. Names of
    the state dict are those of the plain convolution.
    """

    _folded: tuple[list[tuple[int, int]], Tensor, Tensor] | None = None

    def train(self, mode: bool = True) -> FoldedConv2d:
        self._folded = None  # PyTorch's fused optimizers change weights without a trace
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or torch.compiler.is_compiling():  # compilers fold by themselves
            return super().forward(x)
        tensors = [*self._parameters.values(), *self.norm._parameters.values(), *self.norm._buffers.values()]
        state = [(tensor.data_ptr(), tensor._version) for tensor in tensors if tensor is not None]
        if self._folded is None or self._folded[0] != state:
            norm = self.norm
            folded = fuse_conv_bn_weights(
                self.weight, self.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            self._folded = state, folded[0].detach(), folded[1].detach()
        _, weight, bias = self._folded
        x = convolve(x, weight, bias, self)
        return x if self.activation is None else self.activation(x)


def fold_frozen_norms(model: nn.Module) -> None:
    """Make a :class:`FoldedConv2d` of every convolution that has a frozen batch normalization, in place."""
    for module in model.modules():
        if type(module) is Conv2d and isinstance(module.norm, FrozenBatchNorm2d):
            module.__class__ = FoldedConv2d
