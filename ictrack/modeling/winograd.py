"""3x3 convolutions of small maps with many channels, by Winograd's minimal filtering (Lavin & Gray, CVPR 2016)."""

from __future__ import annotations

import torch
from detectron2.layers import Conv2d
from torch import Tensor
from torch.nn import functional as F

from ictrack.modeling.tracing import is_exported

# Fewer channels, or larger maps, take longer than a plain convolution: transforms are bound by memory.
_MIN_CHANNELS = 256
_MAX_NUMBERS = 2**20


def pays_off(x: Tensor, weight: Tensor) -> bool:
    """Whether :func:`winograd` takes less time than a plain convolution of (N, C, H, W) by a weight (D, C, h, w)."""
    return (
        weight.shape[2:] == (3, 3)
        and min(weight.shape[:2]) >= _MIN_CHANNELS
        and x.numel() <= _MAX_NUMBERS
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
    num, channels, height, width = x.shape
    rows, columns = -(-height // 2), -(-width // 2)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2 * columns - width + 1, 1, 2 * rows - height + 1))
    tiles = x.new_empty(4, 4, num, rows, columns, channels)
    lines = [padded[:, i : i + 2 * rows - 1 : 2] for i in range(4)]
    for i, line in enumerate((lines[0] - lines[2], lines[1] + lines[2], lines[2] - lines[1], lines[1] - lines[3])):
        parts = [line[:, :, j : j + 2 * columns - 1 : 2] for j in range(4)]
        torch.sub(parts[0], parts[2], out=tiles[i, 0])
        torch.add(parts[1], parts[2], out=tiles[i, 1])
        torch.sub(parts[2], parts[1], out=tiles[i, 2])
        torch.sub(parts[1], parts[3], out=tiles[i, 3])
    products = torch.bmm(tiles.view(16, -1, channels), filters).view(4, 4, num, rows, columns, -1)
    result = x.new_empty(num, rows, 2, columns, 2, filters.shape[2])
    halves = (products[0] + products[1]).add_(products[2]), (products[1] - products[2]).sub_(products[3])
    for i, half in enumerate(halves):
        torch.add(half[0] + half[1], half[2], out=result[:, :, i, :, 0])
        torch.sub(half[1] - half[2], half[3], out=result[:, :, i, :, 1])
    return result.flatten(3, 4).flatten(1, 2)[:, :height, :width].permute(0, 3, 1, 2)


class WinogradConv2d(Conv2d):
    """3x3 convolution with a padding of one pixel; names of the state dict are those of the plain one.

    Transformed filters are made when first needed, and again after the weight or the mode has changed.
    """

    _transformed: tuple[tuple[int, int, torch.Size], Tensor] | None = None

    def train(self, mode: bool = True) -> WinogradConv2d:
        self._transformed = None  # PyTorch's fused optimizers change weights without a trace
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolve(x, self.weight)
        if self.bias is not None:
            x = x + self.bias[:, None, None]
        x = x if self.norm is None else self.norm(x)
        return x if self.activation is None else self.activation(x)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolution (N, D, H, W) of (N, C, H, W) by the weight or its first channels (D, C, 3, 3), without bias."""
        if not pays_off(x, weight):
            return F.conv2d(x, weight, padding=1)
        state = (weight.data_ptr(), weight._version, weight.shape)
        if self._transformed is None or self._transformed[0] != state:
            self._transformed = state, transform_filters(weight.detach())
        return winograd(x, self._transformed[1])
