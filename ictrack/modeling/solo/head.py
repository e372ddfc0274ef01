"""SOLO's category and mask branches (Wang et al., ECCV 2020, section 3.2 and Fig. 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of (N, C, H, W) to (N, C, *size), corners not aligned, no antialiasing."""
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


class CoordConv(Conv2d):
    """Convolution of an input (N, C, H, W) and two coordinate channels, x and y (Liu et al., NeurIPS 2018).

    Coordinates go from -1 at the first to +1 at the last pixel of the (padded) map. They are the same for all images,
    so their part of the result is computed once and added. This equals the convolution of C + 2 concatenated channels,
    without the copy and without a number of channels at which convolutions are slow.
    """

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        xs = torch.linspace(-1, 1, width, device=x.device, dtype=x.dtype).expand(height, width)
        ys = torch.linspace(-1, 1, height, device=x.device, dtype=x.dtype)[:, None].expand(height, width)
        features, coordinates = self.weight.split([self.in_channels - 2, 2], dim=1)
        x = F.conv2d(x, features, padding=self.padding)
        x = x + F.conv2d(torch.stack([xs, ys])[None], coordinates, padding=self.padding)
        return self.activation(self.norm(x))


def _tower(first_conv: type[Conv2d], in_channels: int, conv_dim: int, num_convs: int, num_groups: int) -> nn.Sequential:
    return nn.Sequential(
        *(
            (first_conv if i == 0 else Conv2d)(
                in_channels if i == 0 else conv_dim,
                conv_dim,
                kernel_size=3,
                padding=1,
                bias=False,
                norm=nn.GroupNorm(num_groups, conv_dim),
                activation=F.relu_,
            )
            for i in range(num_convs)
        )
    )


class SOLOHead(nn.Module):
    """Category and mask branch. Their towers are shared by all levels; each level has its own mask output convolution.

    Masks are predicted per cell: ``mask_outputs[l]`` has one 1x1 filter for each of the S_l^2 cells (row-major), and
    :meth:`mask_logits` applies only the filters of the given cells.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        num_classes: int,
        num_grids: Sequence[int],
        conv_dim: int,
        num_convs: int,
        num_groups: int,
        prior_prob: float,
        init_std: float = 0.01,
        coord_gain: float = 1.0,
    ):
        """
        Args:
            in_channels: Channels of every level's input.
            num_classes: Number of foreground categories.
            num_grids: S_l, cells along each side of every level's grid.
            conv_dim: Channels of the towers.
            num_convs: Number of 3x3 convolutions of each tower (GroupNorm, ReLU).
            num_groups: Groups of their GroupNorm.
            prior_prob: Initial probability of a category in a cell and of a pixel in a mask.
            init_std: Standard deviation of the initial weights; 0: PyTorch's default initialization.
            coord_gain: Factor on the initial weights of the mask tower's coordinates.
        """
        super().__init__()
        if num_convs < 1:
            raise ValueError(f"MODEL.SOLO.NUM_CONVS is {num_convs}, must be at least 1")
        self.num_grids = list(num_grids)
        self.category_tower = _tower(Conv2d, in_channels, conv_dim, num_convs, num_groups)
        self.category_output = Conv2d(conv_dim, num_classes, kernel_size=3, padding=1)
        self.mask_tower = _tower(CoordConv, in_channels + 2, conv_dim, num_convs, num_groups)
        self.mask_outputs = nn.ModuleList(Conv2d(conv_dim, side * side, kernel_size=1) for side in num_grids)

        for module in self.modules() if init_std > 0 else ():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=init_std)
        with torch.no_grad():
            next(self.mask_tower.parameters())[:, -2:] *= coord_gain
        for output in (self.category_output, *self.mask_outputs):
            nn.init.constant_(output.bias, -math.log((1 - prior_prob) / prior_prob))

    def category_logits(self, inputs: list[Tensor]) -> list[Tensor]:
        """Category logits (N, num_classes, S_l, S_l) of every level, from its input (N, C, H_l, W_l)."""
        return [
            self.category_output(self.category_tower(resize(x, (side, side))))
            for x, side in zip(inputs, self.num_grids)
        ]

    def mask_features(self, inputs: list[Tensor], images: list[list[int]]) -> list[list[Tensor]]:
        """Features of the mask tower, only for the given images of each level.

        Maps of one size go through the tower as one batch, and levels that share an input tensor share its result.
        GroupNorm normalizes each map by itself, so neither changes the result.

        Args:
            inputs: (N, C, H_l, W_l) of every level.
            images: Indices of the images in which every level has cells.

        Returns:
            (conv_dim, H_l, W_l) of each of the ``images`` of every level.
        """
        maps: dict[tuple[int, int], Tensor] = {}
        for x, level_images in zip(inputs, images):
            slices = x.unbind()
            maps.update({(id(x), image): slices[image] for image in level_images})
        by_size: dict[torch.Size, list[tuple[int, int]]] = {}
        for key, x in maps.items():
            by_size.setdefault(x.shape, []).append(key)
        results: dict[tuple[int, int], Tensor] = {}
        for keys in by_size.values():
            batch = torch.stack([maps[key] for key in keys])
            results.update(zip(keys, self.mask_tower(batch).unbind()))
        return [[results[id(x), image] for image in level_images] for x, level_images in zip(inputs, images)]

    def mask_logits(self, level: int, features: list[Tensor], cells: list[Tensor]) -> Tensor:
        """Mask logits of the given cells at half the level's stride.

        The 1x1 filters run before the x2 up-sampling: both are linear and bilinear weights sum to one, so they commute
        up to rounding, at a quarter of the work.

        Args:
            level: Level of the cells.
            features: (conv_dim, h, w) of :meth:`mask_features` for each image.
            cells: (n_i,) int64 row-major cell indices in each of these images.

        Returns:
            (sum of n_i, 2h, 2w) logits, image after image.
        """
        output = self.mask_outputs[level]
        index = torch.cat(cells)
        filters = output.get_parameter("weight")[index].flatten(1).split([len(c) for c in cells])
        height, width = features[0].shape[-2:]
        logits = (
            torch.cat([f @ x.flatten(1) for f, x in zip(filters, features)]) + output.get_parameter("bias")[index, None]
        )
        return resize(logits.view(1, -1, height, width), (2 * height, 2 * width))[0]

    def unused_parameters(self, images: list[list[int]]) -> list[nn.Parameter]:
        """Parameters that :meth:`mask_features` and :meth:`mask_logits` do not use for these images."""
        unused = [p for conv, ids in zip(self.mask_outputs, images) if not ids for p in conv.parameters()]
        return unused if any(images) else [*self.mask_tower.parameters(), *unused]
