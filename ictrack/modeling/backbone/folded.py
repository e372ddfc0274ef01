"""Forward pass of a model in evaluation mode without its batch normalizations, constant factors of the convolutions."""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ictrack.modeling.winograd import use_winograd

logger = logging.getLogger(__name__)

# Rows and columns of the image on which outputs are compared: a multiple of the strides of all models.
_CHECKED = 128
# Largest difference of outputs, relative to their largest value, that is rounding.
_ROUNDING = 1e-3


class FoldedForward:
    """Forward method of a model in evaluation mode, without gradients, by a copy with folded normalizations.

    The copy is made when the method is first called, and again after weights have changed. On CPUs it has channels
    last and Winograd's filtering. EfficientNet-Lite0 takes half the time so (AVX2, one core). Results differ by
    rounding.
    """

    def __init__(self, model: nn.Module) -> None:
        """
        Args:
            model: Model that returns a list of maps. This object may become its ``forward`` attribute.
        """
        self._model = model
        self._all_modules = list(model.modules())
        self.release()

    def release(self) -> None:
        """Free the copy."""
        self._weights: list[tuple[int, int]] = []
        self._copy: nn.Module | None = None

    def __call__(self, x: Tensor) -> Any:
        if torch.compiler.is_compiling():  # compilers fold by themselves
            return type(self._model).forward(self._model, x)
        weights = [
            (tensor.data_ptr(), tensor._version)
            for module in self._all_modules  # parameters() takes four times as long
            for tensor in (*module._parameters.values(), *module._buffers.values())
            if tensor is not None
        ]
        if self._copy is None or weights != self._weights:
            self._copy = self._folded(x)
            self._weights = weights
        if x.device.type == "cpu":
            x = x.contiguous(memory_format=torch.channels_last)
        return self._copy(x)

    @torch.no_grad()
    def _folded(self, x: Tensor) -> nn.Module:
        """Copy of the model; with its normalizations, if what follows a convolution is not what comes after it."""
        own = {name: self._model.__dict__.pop(name) for name in ("forward",) if name in self._model.__dict__}
        try:
            plain, folded = copy.deepcopy(self._model).eval(), copy.deepcopy(self._model).eval()
        finally:
            self._model.__dict__.update(own)
        for parent in folded.modules():
            for (_, module), (name, after) in zip(pairs := list(parent.named_children()), pairs[1:]):
                if isinstance(module, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                    _fold(module, after)
                    setattr(parent, name, getattr(after, "act", nn.Identity()))  # timm's have an activation
        x = x[:1, :, :_CHECKED, :_CHECKED]
        with torch.autocast(x.device.type, enabled=False):
            is_same = all(_is_close(ours, theirs) for ours, theirs in zip(folded(x), plain(x)))
        if not is_same:
            logger.debug("normalizations are not folded: modules of %s run in another order", type(plain).__name__)
            folded = plain
        if x.device.type != "cpu":
            return folded
        use_winograd(folded)
        return folded.to(memory_format=torch.channels_last)


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None and norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )


def _is_close(ours: Tensor, theirs: Tensor) -> bool:
    return ours.shape == theirs.shape and bool((ours - theirs).abs().max() <= _ROUNDING * theirs.abs().max())
