"""Sizes that stay variable where a model is traced for an export."""

from __future__ import annotations

import torch
from torch import Tensor


def is_exported() -> bool:
    """Whether the present call is recorded, to be run by another program on images of other sizes."""
    return torch.jit.is_tracing() or torch.compiler.is_compiling()


def map_extent(x: Tensor, stride: float = 1) -> Tensor:
    """(2,) width and height in pixels of a map (..., h, w), of the map's type; in a trace not those of the example."""
    if torch.jit.is_tracing():
        return torch._shape_as_tensor(x)[-2:].flip(0).to(x) * stride
    return x.new_tensor([x.shape[-1] * stride, x.shape[-2] * stride])
