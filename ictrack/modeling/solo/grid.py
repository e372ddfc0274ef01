"""Cells of SOLO's grids."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def grid_cells(num_grids: Sequence[int]) -> Tensor:
    """(sum of S_l^2, 3) int64 (level, row, col) of all cells, level after level, row-major, by their flat index.

    Args:
        num_grids: S_l, cells along each side of the grid of level l.
    """
    cells = [
        torch.cartesian_prod(torch.tensor([level]), torch.arange(side), torch.arange(side))
        for level, side in enumerate(num_grids)
    ]
    return torch.cat(cells)
