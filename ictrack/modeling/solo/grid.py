"""The cells of SOLO's grids, all levels in one row-major list."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def grid_cells(num_grids: Sequence[int]) -> Tensor:
    """(level, row, col) of every cell, level after level, row-major.

    Args:
        num_grids: S_l, the cells along each side of the grid of level l.

    Returns:
        (sum of S_l^2, 3) int64; the row number is the cell's flat index.
    """
    cells = [
        torch.cartesian_prod(torch.tensor([level]), torch.arange(side), torch.arange(side))
        for level, side in enumerate(num_grids)
    ]
    return torch.cat(cells)
