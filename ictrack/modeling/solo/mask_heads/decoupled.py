"""Mask branches of Decoupled SOLO: a mask is a product of a column's and a row's map (Wang et al., ECCV 2020, 3.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec
from torch import Tensor, nn

from ..head import MASK_HEADS, SOLOHead
from ..layers import Deform, Tower, of_images, resize


class CoordinateMaps(NamedTuple):
    """Maps of one image on one level: logits (S, 2h, 2w) of the grid's columns (x) and rows (y)."""

    x: Tensor
    y: Tensor


class _DecoupledOutputs(SOLOHead):
    """Head with one 3x3 filter for each column and each row of a level's grid, after x2 up-sampling."""

    def _add_outputs(self, strides: list[int], conv_dim: int) -> list[Conv2d]:
        self.mask_strides = [stride // 2 for stride in strides]
        self.mask_outputs_x, self.mask_outputs_y = (
            nn.ModuleList(Conv2d(conv_dim, side, kernel_size=3, padding=1) for side in self.num_grids) for _ in "xy"
        )
        return [*self.mask_outputs_x, *self.mask_outputs_y]

    def _coordinate_maps(self, x: list[list[Tensor]], y: list[list[Tensor]]) -> list[list[CoordinateMaps]]:
        """Maps from the features (conv_dim, h, w) of each image of every level, of which x and y may share tensors."""
        maps: list[list[CoordinateMaps]] = []
        for output_x, output_y, of_x, of_y in zip(self.mask_outputs_x, self.mask_outputs_y, x, y):
            maps.append([])
            for features_x, features_y in zip(of_x, of_y):
                up_x = _upsampled(features_x)
                up_y = up_x if features_y is features_x else _upsampled(features_y)
                maps[-1].append(CoordinateMaps(output_x(up_x)[0], output_y(up_y)[0]))
        return maps

    def mask_probabilities(
        self, level: int, maps: list[CoordinateMaps], cells: list[Tensor], size: Sequence[int] | None = None
    ) -> Tensor:
        """Products of the probabilities of a cell's column and row, each resized before."""
        side = self.num_grids[level]
        columns = torch.cat([image.x[of_image % side] for image, of_image in zip(maps, cells)]).float().sigmoid()
        rows = torch.cat([image.y[of_image // side] for image, of_image in zip(maps, cells)]).float().sigmoid()
        return resize(columns[None], size)[0] * resize(rows[None], size)[0] if size else columns * rows


def _upsampled(features: Tensor) -> Tensor:
    """(1, C, 2h, 2w) of (C, h, w)."""
    return resize(features[None], (2 * features.shape[-2], 2 * features.shape[-1]))


class DecoupledMaskHead(_DecoupledOutputs):
    """Head with one mask tower for columns, which knows x, and one for rows, which knows y."""

    def add_mask_branch(
        self, *, in_channels: int, strides: list[int], conv_dim: int, num_convs: int, num_groups: int, deform: Deform
    ) -> Sequence[Conv2d]:
        self.mask_tower_x = Tower(in_channels, conv_dim, num_convs, num_groups, axes="x", deform=deform)
        self.mask_tower_y = Tower(in_channels, conv_dim, num_convs, num_groups, axes="y", deform=deform)
        return self._add_outputs(strides, conv_dim)

    def mask_maps(
        self, features: Mapping[str, Tensor], inputs: list[Tensor], images: list[list[int]]
    ) -> list[list[CoordinateMaps]]:
        return self._coordinate_maps(
            of_images(self.mask_tower_x, inputs, images), of_images(self.mask_tower_y, inputs, images)
        )


class DecoupledLightMaskHead(_DecoupledOutputs):
    """Head with one mask tower for columns and rows, which knows x and y."""

    def add_mask_branch(
        self, *, in_channels: int, strides: list[int], conv_dim: int, num_convs: int, num_groups: int, deform: Deform
    ) -> Sequence[Conv2d]:
        self.mask_tower = Tower(in_channels, conv_dim, num_convs, num_groups, axes="xy", deform=deform)
        return self._add_outputs(strides, conv_dim)

    def mask_maps(
        self, features: Mapping[str, Tensor], inputs: list[Tensor], images: list[list[int]]
    ) -> list[list[CoordinateMaps]]:
        of_both = of_images(self.mask_tower, inputs, images)
        return self._coordinate_maps(of_both, of_both)


@MASK_HEADS.register()
def decoupled(cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> DecoupledMaskHead:
    """Head of Decoupled SOLO."""
    return DecoupledMaskHead(cfg, shapes)


@MASK_HEADS.register()
def decoupled_light(cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> DecoupledLightMaskHead:
    """Head of Decoupled SOLO's light form."""
    return DecoupledLightMaskHead(cfg, shapes)
