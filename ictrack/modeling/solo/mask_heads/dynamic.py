"""Mask branch of SOLOv2: each cell predicts a filter of one map of mask features (Wang et al., NeurIPS 2020)."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec
from torch import Tensor, nn

from ..head import MASK_HEADS, SOLOHead
from ..layers import Deform, Tower, conv_norm_relu, coordinates, images_of, resize


class MaskFeatures(nn.Module):
    """Sum of the backbone's features at the finest stride, through a 1x1 convolution (GroupNorm, ReLU).

    The i-th feature is brought there by i convolutions (the finest by one), each followed by x2 up-sampling. The
    coarsest knows its location.
    """

    def __init__(
        self,
        in_channels: int,
        num_features: int,
        conv_dim: int,
        out_channels: int,
        num_groups: int,
        deform_modulated: bool | None = None,
    ):
        """
        Args:
            in_channels: Channels of every feature.
            num_features: Number of features, each of twice the stride of the one before.
            conv_dim: Channels of the sum.
            out_channels: E, channels of the result.
            num_groups: Groups of GroupNorm.
            deform_modulated: Whether the deformable convolutions are modulated; None: none is deformable.
        """
        super().__init__()
        options: dict[str, Any] = {"num_groups": num_groups, "deform_modulated": deform_modulated}
        self.levels = nn.ModuleList()
        for i in range(num_features):
            first = conv_norm_relu(in_channels, conv_dim, axes="xy" if i == num_features - 1 else "", **options)
            others = [conv_norm_relu(conv_dim, conv_dim, **options) for _ in range(i - 1)]
            self.levels.append(nn.Sequential(first, *others))
        self.output = conv_norm_relu(conv_dim, out_channels, kernel_size=1, **options)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """(N, E, h, w) of features from fine to coarse, the first (N, C, h, w)."""
        finest, *coarser = zip(features, self.levels)
        total = finest[1](finest[0])
        if not coarser:
            return self.output(total)
        halves = []
        for x, convolutions in coarser:
            first, *others = convolutions.children()
            x = first(x)
            for convolution in others:
                x = convolution(_twice_as_fine(x))
            halves.append(x)
        # The last up-sampling is linear: that of the sum is the sum of all.
        upsampled = _twice_as_fine(functools.reduce(torch.add, halves))
        upsampled += total
        return self.output(upsampled)


def _twice_as_fine(x: Tensor) -> Tensor:
    return resize(x, (2 * x.shape[-2], 2 * x.shape[-1]))


class DynamicMaps(NamedTuple):
    """Maps of one image on one level: filters (E, S, S) of the grid's cells, and mask features (E, h, w)."""

    filters: Tensor
    features: Tensor


class DynamicMaskHead(SOLOHead):
    """Head whose kernel tower, which all levels share, predicts a 1x1 filter of the mask features for each cell."""

    trains_every_pair = True

    @classmethod
    def from_config(cls, cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        solo = cfg.MODEL.SOLO
        names, channels = solo.MASK_FEATURES.IN_FEATURES, shapes[solo.IN_FEATURES[0]].channels
        if missing := [name for name in names if name not in shapes]:
            raise ValueError(
                f"MODEL.SOLO.MASK_FEATURES.IN_FEATURES {missing} are not among the backbone's outputs {list(shapes)}"
            )
        strides = [shapes[name].stride for name in names]
        if strides != [strides[0] * 2**i for i in range(len(names))]:
            raise ValueError(f"MODEL.SOLO.MASK_FEATURES.IN_FEATURES must double the stride each, have {strides}")
        if any(shapes[name].channels != channels for name in names):
            raise ValueError(f"MODEL.SOLO.MASK_FEATURES.IN_FEATURES must have the {channels} channels of IN_FEATURES")
        return {
            **super().from_config(cfg, shapes),
            "mask_features": names,
            "mask_feature_stride": strides[0],
            "mask_feature_dim": solo.MASK_FEATURES.CONV_DIM,
            "filter_dim": solo.MASK_FEATURES.OUT_CHANNELS,
            "deform_mask_features": solo.MASK_FEATURES.DEFORM,
        }

    def add_mask_branch(
        self,
        *,
        in_channels: int,
        strides: list[int],
        conv_dim: int,
        num_convs: int,
        num_groups: int,
        deform: Deform,
        mask_features: Sequence[str] = (),
        mask_feature_stride: int = 4,
        mask_feature_dim: int = 128,
        filter_dim: int = 256,
        deform_mask_features: bool = False,
    ) -> Sequence[Conv2d]:
        """
        Args:
            in_channels, strides, conv_dim, num_convs, num_groups, deform: See :class:`SOLOHead`.
            mask_features: Backbone features of the mask features, fine to coarse, each of twice the stride.
            mask_feature_stride: Stride of the first.
            mask_feature_dim: Channels of their sum.
            filter_dim: E, channels of mask features and filters.
            deform_mask_features: Whether the convolutions of the mask features are deformable, modulated like the
                towers'.
        """
        self.mask_strides = [mask_feature_stride] * len(strides)
        self.mask_feature_names = list(mask_features)
        self.kernel_tower = Tower(in_channels, conv_dim, num_convs, num_groups, axes="xy", deform=deform)
        self.kernel_output = Conv2d(conv_dim, filter_dim, kernel_size=3, padding=1)
        self.mask_features = MaskFeatures(
            in_channels,
            len(mask_features),
            mask_feature_dim,
            filter_dim,
            num_groups,
            deform.modulated if deform_mask_features else None,
        )
        return ()

    def filters(self, level: int, x: Tensor) -> Tensor:
        """(N, E, S, S) filters of the cells of a level, from its input (N, C, H_l, W_l)."""
        size = (self.num_grids[level], self.num_grids[level])
        return self.kernel_output(self.kernel_tower(resize(x, size), resize(coordinates(x), size)))

    def mask_maps(
        self, features: Mapping[str, Tensor], inputs: list[Tensor], images: list[list[int]]
    ) -> list[list[DynamicMaps]]:
        needed = sorted({image for of_level in images for image in of_level})
        if not needed:
            return [[] for _ in images]
        mask_features = self.mask_features([images_of(features[name], needed) for name in self.mask_feature_names])
        of_image = dict(zip(needed, mask_features.unbind()))
        return [
            [DynamicMaps(f, of_image[image]) for image, f in zip(of_level, self.filters(level, images_of(x, of_level)))]
            if of_level
            else []
            for level, (x, of_level) in enumerate(zip(inputs, images))
        ]

    def mask_probabilities(
        self, level: int, maps: list[DynamicMaps], cells: list[Tensor], size: Sequence[int] | None = None
    ) -> Tensor:
        logits = [
            image.filters.flatten(1)[:, of_image].T @ image.features.flatten(1) for image, of_image in zip(maps, cells)
        ]
        joined = torch.cat(logits) if len(logits) > 1 else logits[0]  # which would copy one, too
        return _probabilities(joined, maps[0].features.shape[-2:], size)

    def image_probabilities(
        self, maps: Mapping[int, DynamicMaps], level: Tensor, cells: Tensor, size: Sequence[int]
    ) -> Tensor:
        """Levels share the mask features, so that one product makes the masks of all: it is bound by reading them."""
        if not len(cells):
            return torch.empty((0, *size), device=cells.device)
        sides = [side * side if i in maps else 0 for i, side in enumerate(self.num_grids)]
        offsets = torch.tensor([0, *itertools.accumulate(sides[:-1])], device=cells.device)
        filters = torch.cat([maps[i].filters.flatten(1) for i in sorted(maps)], dim=1)
        features = next(iter(maps.values())).features
        logits = filters[:, offsets[level] + cells].T @ features.flatten(1)
        return _probabilities(logits, features.shape[-2:], size)


def _probabilities(logits: Tensor, feature_size: Sequence[int], size: Sequence[int] | None) -> Tensor:
    probabilities = logits.view(-1, *feature_size).float().sigmoid_()
    return resize(probabilities[None], size)[0] if size else probabilities


@MASK_HEADS.register()
def dynamic(cfg: CfgNode, shapes: Mapping[str, ShapeSpec]) -> DynamicMaskHead:
    """Head of SOLOv2 and its light form."""
    return DynamicMaskHead(cfg, shapes)
