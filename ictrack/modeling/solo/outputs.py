"""Outputs of SOLO's network for a batch, and masks of single cells from them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .head import MaskMaps, SOLOHead
from .matrix_nms import point_nms


@dataclass(frozen=True)
class SOLOOutputs:
    """Outputs for a batch of N images. Masks are made from them only for the cells that need one.

    Attributes:
        padded_size: (H, W) of the network's input.
        features: Features of the backbone by name.
        inputs: (N, C, H / stride, W / stride) of every level. Levels of one source share the tensor.
        category_logits: (N, K, S_l, S_l) of every level.
    """

    padded_size: tuple[int, int]
    features: dict[str, Tensor]
    inputs: list[Tensor]
    category_logits: list[Tensor]

    def category_scores(self) -> Tensor:
        """(N, sum of S_l^2, K) probabilities of all cells after point NMS, float32."""
        levels = [point_nms(x.float().sigmoid()).flatten(2).transpose(1, 2) for x in self.category_logits]
        return torch.cat(levels, dim=1)


@dataclass(frozen=True)
class CellMasks:
    """Mask probabilities of the cells of one image.

    Attributes:
        head: Head that makes them.
        grid_cells: (sum of S_l^2, 3) int64 (level, row, col) of every cell by its flat index.
        maps: {level: maps of the head} of every level whose cells are asked for.
        size: (h, w) of the masks; the sigmoid is taken before resizing.
    """

    head: SOLOHead
    grid_cells: Tensor
    maps: dict[int, MaskMaps]
    size: tuple[int, int]

    def __call__(self, cells: Tensor) -> Tensor:
        """(n, h, w) float32 probabilities of cells by their flat index (n,)."""
        level, row, col = self.grid_cells[cells].unbind(1)
        flat = row * torch.tensor(self.head.num_grids, device=cells.device)[level] + col
        return self.head.image_probabilities(self.maps, level, flat, self.size)


def masks_of_cells(
    head: SOLOHead, grid_cells: Tensor, outputs: SOLOOutputs, cells: Tensor, size: tuple[int, int]
) -> list[CellMasks]:
    """Masks of ``size`` of every image for the levels on which some of the ``cells`` (N, sum of S_l^2) bool are set."""
    per_level = cells.split([side * side for side in head.num_grids], dim=1)
    are_needed = torch.stack([level.any(1) for level in per_level]).tolist()
    images = [[image for image, is_needed in enumerate(level) if is_needed] for level in are_needed]
    maps: list[dict[int, MaskMaps]] = [{} for _ in range(len(cells))]
    for level, of_level in enumerate(head.mask_maps(outputs.features, outputs.inputs, images)):
        for image, x in zip(images[level], of_level):
            maps[image][level] = x
    return [CellMasks(head, grid_cells, of_image, size) for of_image in maps]
