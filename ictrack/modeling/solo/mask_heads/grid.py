"""Mask branch of SOLO v1: one output channel a cell (Wang et al., ECCV 2020, Fig. 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec
from torch import Tensor, nn

from ..head import MASK_HEADS, SOLOHead
from ..layers import Deform, Tower, of_images, resize


class GridMaskHead(SOLOHead):
    """Head with a mask tower that all levels share. Each level's ``mask_outputs[l]`` has one 1x1 filter for each of the
    S_l^2 cells (row-major), of which only those of the wanted cells are applied."""

    def add_mask_branch(
        self, *, in_channels: int, strides: list[int], conv_dim: int, num_convs: int, num_groups: int, deform: Deform
    ) -> Sequence[Conv2d]:
        self.mask_strides = [stride // 2 for stride in strides]
        self.mask_tower = Tower(in_channels, conv_dim, num_convs, num_groups, axes="xy", deform=deform)
        self.mask_outputs = nn.ModuleList(Conv2d(conv_dim, side * side, kernel_size=1) for side in self.num_grids)
        return list(self.mask_outputs)

    def mask_maps(
        self, features: Mapping[str, Tensor], inputs: list[Tensor], images: list[list[int]]
    ) -> list[list[Tensor]]:
        """(conv_dim, H_l, W_l) of each of the ``images`` of every level, see :class:`SOLOHead`."""
        return of_images(self.mask_tower, inputs, images)

    def mask_logits(self, level: int, maps: list[Tensor], cells: list[Tensor]) -> Tensor:
        """(sum of n_i, 2h, 2w) logits of cells of one level, see :meth:`SOLOHead.mask_probabilities`.

        The 1x1 filters run before the x2 up-sampling: both are linear and bilinear weights sum to one, so they commute
        up to rounding, at a quarter of the work.
        """
        output = self.mask_outputs[level]
        index = torch.cat(cells)
        filters = output.get_parameter("weight")[index].flatten(1)
        by_image = filters.split([len(c) for c in cells]) if len(cells) > 1 else (filters,)
        height, width = maps[0].shape[-2:]
        logits = (
            torch.cat([f @ x.flatten(1) for f, x in zip(by_image, maps)]) + output.get_parameter("bias")[index, None]
        )
        return resize(logits.view(1, -1, height, width), (2 * height, 2 * width))[0]

    def mask_probabilities(
        self, level: int, maps: list[Tensor], cells: list[Tensor], size: Sequence[int] | None = None
    ) -> Tensor:
        probabilities = self.mask_logits(level, maps, cells).float().sigmoid()
        return resize(probabilities[None], size)[0] if size else probabilities


@MASK_HEADS.register()
def grid(cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> GridMaskHead:
    """Head of SOLO v1."""
    return GridMaskHead(cfg, shapes)
