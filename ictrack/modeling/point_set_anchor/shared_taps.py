"""Convolution on a CPU whose taps lie at the same places in all images, as a product with a sparse matrix.

The taps of the first stage depend on nothing but the size of a level. Reading them is then one linear map, several
times faster than sampling each of them, above all backward.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

# Levels, of all sizes of images, whose matrices are kept.
_NUM_LEVELS = 12


def convolve_at(x: Tensor, places: Tensor, weight: Tensor) -> Tensor:
    """(B, D, H, W) sum over taps of the weights times the features at the taps, bilinear, with zeros around the map.

    Args:
        x: (B, C, H, W) features on the CPU.
        places: (K, 2, H, W) row and column of the taps of each cell; no gradient passes into them.
        weight: (D, C, K).
    """
    num_taps, _, height, width = places.shape
    dim, channels = weight.shape[:2]
    read = _matrices(places.detach().to(x.dtype).contiguous().numpy().tobytes(), (num_taps, height, width), x.dtype)
    weights = weight.permute(1, 2, 0).reshape(channels, num_taps * dim)
    # The weights come first, so that nothing of the size of all taps' features is made.
    images = [_Product.apply((image.flatten(1).t() @ weights).view(-1, dim), *read).t() for image in x]
    return torch.stack(images).view(len(x), dim, height, width)


class _Product(torch.autograd.Function):
    """Product of a constant sparse matrix with a dense one; autograd's own would transpose the former in each step."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ gradients[0].contiguous(), None, None


@lru_cache(maxsize=_NUM_LEVELS)
def _matrices(places: bytes, size: tuple[int, int, int], dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Matrix (H W, H W K) that reads the taps of each cell from values of each cell and tap, and its transpose."""
    num_taps, height, width = size
    y, x = torch.frombuffer(bytearray(places), dtype=dtype).view(num_taps, 2, height, width).unbind(1)
    cell = torch.arange(height * width).view(height, width).expand(size)
    tap = torch.arange(num_taps)[:, None, None].expand(size)
    rows, columns, values = [], [], []
    for row in (y.floor(), y.floor() + 1):
        for column in (x.floor(), x.floor() + 1):
            share = (1 - (y - row).abs()) * (1 - (x - column).abs())
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width) & (share > 0)
            rows.append(cell[inside])
            columns.append(((row * width + column).long() * num_taps + tap)[inside])
            values.append(share[inside])
    matrix = torch.sparse_coo_tensor(
        torch.stack([torch.cat(rows), torch.cat(columns)]),
        torch.cat(values),
        (height * width, height * width * num_taps),
        check_invariants=False,
    )
    return _compressed(matrix), _compressed(matrix.t())


def _compressed(matrix: Tensor) -> Tensor:
    """Matrix by compressed rows, with the 32-bit indices that MKL reads without a conversion."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        rows = matrix.coalesce().to_sparse_csr()
        return torch.sparse_csr_tensor(
            rows.crow_indices().int(), rows.col_indices().int(), rows.values(), rows.shape, check_invariants=False
        )
