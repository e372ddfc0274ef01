"""3x3 convolutions with many channels, by Winograd's minimal filtering (Lavin & Gray, CVPR 2016)."""

from __future__ import annotations

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.tracing import is_exported

# Fewer channels gain little or nothing: transforms are bound by memory.
_MIN_CHANNELS = 192
# Tiles of 2 x 2 pixels that are computed together: what is made of them stays in the cache of a core.
_TILES_AT_ONCE = 256


def pays_off(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`winograd` takes less time than a plain convolution of (N, C, H, W) by a weight (D, C, h, w).

    On several threads it does not: each of its many steps waits for all of them.
    """
    return (
        torch.get_num_threads() == 1
        and weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= _MIN_CHANNELS
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not is_exported()
    )


def transform_filters(weight: Tensor) -> Tensor:
    """(16, C, D) filters for :func:`winograd`, from the weight (D, C, 3, 3) of a convolution."""
    matrix = weight.new_tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
    # One product for rows, one for columns.
    rows = weight.flatten(0, 2) @ matrix.T  # (D C 3, 4)
    both = rows.view(*weight.shape[:3], 4).permute(1, 0, 3, 2) @ matrix.T  # (C, D, 4 columns, 4 rows)
    return both.permute(3, 2, 0, 1).flatten(0, 1).contiguous()


def winograd(x: Tensor, filters: Tensor) -> Tensor:
    """Convolution of (N, C, H, W) with zeros of one pixel around, as (N, D, H, W) with channels last.

    F(2x2, 3x3): 2 x 2 pixels of the result take 16 products of a pixel's channels, where a convolution takes 36. The
    result differs from a convolution's by rounding, as sums are of other numbers.

    Args:
        x: (N, C, H, W).
        filters: (16, C, D) from :func:`transform_filters`.
    """
    num, _, height, width = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2 * columns - width + 1, 1, 2 * rows - height + 1))
    result = x.new_empty(num, 2 * rows, 2 * columns, filters.shape[2])
    step = 2 * max(_TILES_AT_ONCE // (num * columns), 1)
    for row in range(0, 2 * rows, step):
        _filter_rows(padded[:, row : row + step + 2], filters, result[:, row : row + step])
    return result[:, :height, :width].permute(0, 3, 1, 2)


def _filter_rows(padded: Tensor, filters: Tensor, result: Tensor) -> None:
    """Write a convolution of (N, H + 2, W + 2, C) without padding into ``result`` (N, H, W, D), H and W even."""
    num, height, width, dim = result.shape
    channels = padded.shape[3]
    tiles = padded.new_empty(4, 4, num, height // 2, width // 2, channels)
    lines = [padded[:, i : i + height - 1 : 2] for i in range(4)]
    for i, line in enumerate((lines[0] - lines[2], lines[1] + lines[2], lines[2] - lines[1], lines[1] - lines[3])):
        parts = [line[:, :, j : j + width - 1 : 2] for j in range(4)]
        torch.sub(parts[0], parts[2], out=tiles[i, 0])
        torch.add(parts[1], parts[2], out=tiles[i, 1])
        torch.sub(parts[2], parts[1], out=tiles[i, 2])
        torch.sub(parts[1], parts[3], out=tiles[i, 3])
    products = torch.bmm(tiles.view(16, -1, channels), filters).view(4, 4, num, height // 2, width // 2, dim)
    halves = (products[0] + products[1]).add_(products[2]), (products[1] - products[2]).sub_(products[3])
    for i, half in enumerate(halves):
        torch.add(half[0] + half[1], half[2], out=result[:, i::2, 0::2])
        torch.sub(half[1] - half[2], half[3], out=result[:, i::2, 1::2])


class WinogradConv2d(Conv2d):
    """3x3 convolution with a padding of one pixel; names of the state dict are those of the plain one.

    Transformed filters are made when first needed, and again after the weight or the mode has changed.
    """

    _transformed: tuple[tuple[int, int, torch.Size], Tensor] | None = None

    def train(self, mode: bool = True) -> WinogradConv2d:
        self._transformed = None  # PyTorch's fused optimizers change weights without a trace
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolve(x, self.weight, self.bias)
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """Convolution (N, D, H, W) of (N, C, H, W) by the weight or its first channels (D, C, 3, 3)."""
        if not pays_off(x, weight):
            return F.conv2d(x, weight, bias, padding=1)
        state = (weight.data_ptr(), weight._version, weight.shape)
        if self._transformed is None or self._transformed[0] != state:
            self._transformed = state, transform_filters(weight.detach())
        x = winograd(x, self._transformed[1])
        return x if bias is None else x.add_(bias[:, None, None])


def use_winograd(model: nn.Module) -> None:
    """Make a :class:`WinogradConv2d` of every plain 3x3 convolution of a model that may gain by it, in place."""
    for module in model.modules():
        if (
            type(module) is nn.Conv2d
            and min(module.weight.shape[:2]) >= _MIN_CHANNELS
            and (module.kernel_size, module.padding, module.padding_mode) == ((3, 3), (1, 1), "zeros")
            and module.stride == module.dilation == (1, 1)
            and module.groups == 1
        ):
            module.__class__ = WinogradConv2d
            vars(module).update(norm=None, activation=None)  # attributes of Detectron2's convolutions
