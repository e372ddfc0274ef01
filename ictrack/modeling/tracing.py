"""Sizes that stay variable where a model is traced for an export."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def is_exported() -> bool:
    """Whether the present call is recorded, to be run by another program on images of other sizes."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def map_extent(x: Tensor, stride: float = 1) -> Tensor:
    """(2,) width and height in pixels of a map (..., h, w), of the map's type; in a trace not those of the example."""
    if torch.jit.is_tracing():
        return torch._shape_as_tensor(x)[-2:].flip(0).to(x) * stride
    return x.new_tensor([x.shape[-1] * stride, x.shape[-2] * stride])


def area_average(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, *size) area averages of a map (B, C, H, W).

    In a trace the sides of one are whole multiples of the other's, by the same factor for all sizes of images.
    """
    if not torch.jit.is_tracing():
        return F.adaptive_avg_pool2d(x, (size[0], size[1]))
    factor = float(x.shape[-1]) / float(size[-1])
    if factor >= 1:
        return F.avg_pool2d(x, round(factor)) if factor > 1 else x
    for axis in (2, 3):
        x = x.repeat_interleave(round(1 / factor), dim=axis)
    return x


def symmetric_range(steps: int, like: Tensor) -> Tensor:
    """(steps,) numbers from -1 to 1 at equal distances, of a tensor's type and on its device."""
    if torch.compiler.is_compiling():  # torch.export takes the steps of linspace for a constant
        return torch.arange(steps, device=like.device, dtype=like.dtype) * (2 / (steps - 1)) - 1
    return torch.linspace(-1, 1, steps, device=like.device, dtype=like.dtype)


def falling_order(values: Tensor) -> Tensor:
    """(N,) indices of values (N,) from the largest to the smallest; those of equal values rise."""
    if torch.jit.is_tracing():  # ONNX knows no other order of equal values, and no name for it
        return values.sort(descending=True)[1]
    return values.argsort(descending=True, stable=True)
