"""SOLO's head: the category branch, and the interface of the mask branches (Wang et al., ECCV 2020, section 3.2)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import Conv2d, ShapeSpec
from detectron2.utils.registry import Registry
from torch import Tensor, nn

from .layers import NOT_DEFORMED, CoordConv, Deform, DeformableCoordConv, Tower, resize

MASK_HEADS = Registry("MASK_HEADS")
MASK_HEADS.__doc__ = """
Registry of SOLO's heads by their mask branch, chosen by ``MODEL.SOLO.MASK_HEAD``. An entry is called with the whole
configuration and the shapes of the backbone's features and returns a :class:`SOLOHead`.
"""

# What a mask branch keeps of one image on one level, to make masks of cells from.
MaskMaps = Any


class SOLOHead(nn.Module, ABC):
    """Category branch, whose tower all levels share, and a mask branch, which a subclass adds.

    The mask branch works in two steps, so that it runs only where there are cells to predict masks for:
    :meth:`mask_maps` of the levels and images that have some, then :meth:`mask_probabilities` of these cells.

    Attributes:
        num_grids: S_l, cells along each side of every level's grid.
        mask_strides: Stride of every level's masks, of which the first is the finest.
        trains_every_pair: Whether the mask loss is of all pairs of instance and cell, or of each cell's owner.
    """

    trains_every_pair = False
    mask_strides: list[int]

    @configurable
    def __init__(
        self,
        *,
        in_channels: int,
        num_classes: int,
        num_grids: Sequence[int],
        strides: Sequence[int],
        conv_dim: int,
        num_convs: int,
        num_groups: int,
        prior_prob: float,
        init_std: float = 0.01,
        coord_gain: float = 1.0,
        deform: Deform = NOT_DEFORMED,
        **mask_branch: Any,
    ):
        """
        Args:
            in_channels: Channels of every level's input.
            num_classes: Number of foreground categories.
            num_grids: S_l, cells along each side of every level's grid.
            strides: Stride of every level's input.
            conv_dim: Channels of the towers.
            num_convs: Number of 3x3 convolutions of each tower (GroupNorm, ReLU).
            num_groups: Groups of their GroupNorm.
            prior_prob: Initial probability of a category in a cell, and of a pixel in a mask where a bias sets it.
            init_std: Standard deviation of the initial weights; 0: PyTorch's default initialization.
            coord_gain: Factor on the initial weights of coordinates.
            deform: Deformable convolutions of each tower.
            mask_branch: Further arguments of :meth:`add_mask_branch`.
        """
        super().__init__()
        self.num_grids = list(num_grids)
        self.category_tower = Tower(in_channels, conv_dim, num_convs, num_groups, deform=deform)
        self.category_output = Conv2d(conv_dim, num_classes, kernel_size=3, padding=1)
        with_prior = self.add_mask_branch(
            in_channels=in_channels,
            strides=list(strides),
            conv_dim=conv_dim,
            num_convs=num_convs,
            num_groups=num_groups,
            deform=deform,
            **mask_branch,
        )
        for module in self.modules() if init_std > 0 else ():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=init_std)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, DeformableCoordConv):
                    module.reset_offset()
                if isinstance(module, (CoordConv, DeformableCoordConv)) and module.axes:
                    module.weight[:, -len(module.axes) :] *= coord_gain
        for output in (self.category_output, *with_prior):
            nn.init.constant_(output.bias, -math.log((1 - prior_prob) / prior_prob))

    @classmethod
    def from_config(cls, cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        solo = cfg.MODEL.SOLO
        missing = [name for name in solo.IN_FEATURES if name not in shapes]
        if missing:
            raise ValueError(f"MODEL.SOLO.IN_FEATURES {missing} are not among the backbone's outputs {list(shapes)}")
        channels = {shapes[name].channels for name in solo.IN_FEATURES}
        if len(channels) != 1:
            raise ValueError(f"MODEL.SOLO.IN_FEATURES must have one number of channels, have {sorted(channels)}")
        return {
            "in_channels": channels.pop(),
            "num_classes": solo.NUM_CLASSES,
            "num_grids": solo.NUM_GRIDS,
            "strides": solo.STRIDES,
            "conv_dim": solo.CONV_DIM,
            "num_convs": solo.NUM_CONVS,
            "num_groups": solo.NUM_GROUPS,
            "prior_prob": solo.PRIOR_PROB,
            "init_std": solo.INIT_STD,
            "coord_gain": solo.COORD_GAIN,
            "deform": Deform(solo.DEFORM_CONVS, cfg.MODEL.RESNETS.DEFORM_MODULATED),
        }

    @abstractmethod
    def add_mask_branch(
        self, *, in_channels: int, strides: list[int], conv_dim: int, num_convs: int, num_groups: int, deform: Deform
    ) -> Sequence[Conv2d]:
        """Make the modules of the mask branch and ``mask_strides``; the arguments are those of the head.

        Returns:
            Output convolutions whose bias is set by ``prior_prob``.
        """

    def category_logits(self, inputs: list[Tensor]) -> list[Tensor]:
        """Category logits (N, num_classes, S_l, S_l) of every level, from its input (N, C, H_l, W_l)."""
        return [
            self.category_output(self.category_tower(resize(x, (side, side))))
            for x, side in zip(inputs, self.num_grids)
        ]

    @abstractmethod
    def mask_maps(
        self, features: Mapping[str, Tensor], inputs: list[Tensor], images: list[list[int]]
    ) -> list[list[MaskMaps]]:
        """Maps from which masks are made, only for the given images of each level.

        Args:
            features: Features of the backbone.
            inputs: (N, C, H_l, W_l) of every level.
            images: Indices of the images in which every level has cells.

        Returns:
            Maps of each of the ``images`` of every level.
        """

    @abstractmethod
    def mask_probabilities(
        self, level: int, maps: list[MaskMaps], cells: list[Tensor], size: Sequence[int] | None = None
    ) -> Tensor:
        """Mask probabilities of cells of one level.

        Args:
            level: Level of the cells.
            maps: Result of :meth:`mask_maps` for each image.
            cells: (n_i,) int64 row-major cell indices in each of these images.
            size: (h, w) to which probabilities are resized; by default they have the level's mask stride.

        Returns:
            (sum of n_i, h, w) float32, image after image.
        """

    def image_probabilities(
        self, maps: Mapping[int, MaskMaps], level: Tensor, cells: Tensor, size: Sequence[int]
    ) -> Tensor:
        """Mask probabilities of cells of one image.

        Args:
            maps: Maps of every level that has some of the cells, see :meth:`mask_maps`.
            level: (n,) int64 level of each cell.
            cells: (n,) int64 row-major index in its level.
            size: (h, w) of the result.

        Returns:
            (n, h, w) float32, in the order of the cells.
        """
        levels = torch.arange(len(self.num_grids), device=level.device)
        counts = (level == levels[:, None]).sum(1).tolist()
        if max(counts) == len(cells) > 0:  # nothing is to be put together
            only = counts.index(len(cells))
            return self.mask_probabilities(only, [maps[only]], [cells], size)
        result = torch.empty((len(cells), *size), device=level.device)
        by_level = level.argsort(stable=True).split(counts)
        for i, of_level in maps.items():
            if len(rows := by_level[i]):
                result[rows] = self.mask_probabilities(i, [of_level], [cells[rows]], size)
        return result
