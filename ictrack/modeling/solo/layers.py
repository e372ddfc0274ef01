"""Layers of SOLO's heads: resizing, convolutions that know their location, towers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.deformable import DeformableConv2d
from ictrack.modeling.tracing import is_exported, symmetric_range
from ictrack.modeling.winograd import WinogradConv2d

# Numbers of the maps that go through a tower together on a CPU: more leave its cache, and are copied for nothing.
_BATCH = 2**21


class Deform(NamedTuple):
    """Number of deformable convolutions at the end of each tower, and whether they are modulated."""

    num_convs: int
    modulated: bool


NOT_DEFORMED = Deform(0, modulated=False)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resize of (N, C, H, W) to (N, C, *size), corners not aligned, no antialiasing."""
    if _has_size(x, size):
        return x
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=False)


def _has_size(x: Tensor, size: Sequence[int]) -> bool:
    """Whether a map has a size; in an export only where the size follows from the image's, too, since it may otherwise
    equal that of the example by chance. There torch.export takes what is compared for constants."""
    if torch.compiler.is_compiling() or (is_exported() and any(isinstance(side, int) for side in size)):
        return False
    return tuple(x.shape[-2:]) == tuple(size)


def coordinates(x: Tensor, axes: str = "xy") -> Tensor:
    """(1, len(axes), H, W) coordinates of the pixels of (N, C, H, W): -1 at the first, +1 at the last pixel.

    Args:
        x: (padded) map.
        axes: "x", "y" or "xy".
    """
    height, width = x.shape[-2:]
    along = {
        "x": symmetric_range(width, x).expand(height, width),
        "y": symmetric_range(height, x)[:, None].expand(height, width),
    }
    return torch.stack([along[axis] for axis in axes])[None]


class CoordConv(WinogradConv2d):
    """Convolution of an input (N, C, H, W) and channels of its :func:`coordinates` (Liu et al., NeurIPS 2018).

    Coordinates are the same for all images, so their part of the result is computed once and added. This equals the
    convolution of concatenated channels, without the copy and without a number of channels at which convolutions are
    slow.
    """

    def __init__(self, in_channels: int, *args, axes: str = "xy", **kwargs):
        """
        Args:
            in_channels: C, to which the channels of the coordinates are added.
            axes: Coordinates that are read, "x", "y" or "xy".
            args, kwargs: Those of :class:`detectron2.layers.Conv2d`.
        """
        super().__init__(in_channels + len(axes), *args, **kwargs)
        self.axes = axes

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """
        Args:
            x: (N, C, H, W).
            positions: (1, len(axes), H, W) coordinates; by default those of x.
        """
        if positions is None:
            positions = coordinates(x, self.axes)
        features, of_positions = self.weight.split([self.in_channels - len(self.axes), len(self.axes)], dim=1)
        x = self.convolve(x, features)
        x = x + F.conv2d(positions, of_positions, padding=self.padding)
        return self.activation(self.norm(x))


class DeformableCoordConv(DeformableConv2d):
    """Deformable convolution of an input (N, C, H, W) and channels of its :func:`coordinates`, if any."""

    def __init__(self, in_channels: int, *args, axes: str, **kwargs):
        """
        Args:
            in_channels: C, to which the channels of the coordinates are added.
            axes: Coordinates that are read, "", "x", "y" or "xy".
            args, kwargs: Those of :class:`DeformableConv2d`.
        """
        super().__init__(in_channels + len(axes), *args, **kwargs)
        self.axes = axes

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """See :class:`CoordConv`."""
        if self.axes:
            positions = coordinates(x, self.axes) if positions is None else positions
            x = torch.cat([x, positions.expand(len(x), -1, -1, -1)], dim=1)
        return super().forward(x)


def conv_norm_relu(
    in_channels: int,
    channels: int,
    num_groups: int,
    kernel_size: int = 3,
    axes: str = "",
    deform_modulated: bool | None = None,
) -> Conv2d:
    """Convolution without bias, GroupNorm, ReLU; with the coordinates named by ``axes``, a :class:`CoordConv`. With
    ``deform_modulated`` it is deformable, see :class:`DeformableConv2d`."""
    options: dict[str, Any] = {"padding": kernel_size // 2, "bias": False, "norm": nn.GroupNorm(num_groups, channels)}
    if deform_modulated is not None:
        return DeformableCoordConv(
            in_channels, channels, kernel_size, axes=axes, modulated=deform_modulated, activation=F.relu_, **options
        )
    if axes:
        return CoordConv(in_channels, channels, kernel_size, axes=axes, activation=F.relu_, **options)
    kind = WinogradConv2d if kernel_size == 3 else Conv2d
    return kind(in_channels, channels, kernel_size, activation=F.relu_, **options)


class Tower(nn.Sequential):
    """Convolutions (3x3, GroupNorm, ReLU), of which the first may know its location."""

    def __init__(
        self,
        in_channels: int,
        channels: int,
        num_convs: int,
        num_groups: int,
        axes: str = "",
        deform: Deform = NOT_DEFORMED,
    ):
        """
        Args:
            in_channels: Channels of the input, without coordinates.
            channels: Channels of the convolutions.
            num_convs: Number of convolutions.
            num_groups: Groups of GroupNorm.
            axes: Coordinates that the first convolution reads: "", "x", "y" or "xy".
            deform: Which of the convolutions are deformable.
        """
        if num_convs < 1:
            raise ValueError(f"MODEL.SOLO.NUM_CONVS is {num_convs}, must be at least 1")
        kinds = [deform.modulated if i >= num_convs - deform.num_convs else None for i in range(num_convs)]
        super().__init__(
            conv_norm_relu(in_channels, channels, num_groups, axes=axes, deform_modulated=kinds[0]),
            *(conv_norm_relu(channels, channels, num_groups, deform_modulated=kind) for kind in kinds[1:]),
        )

    def forward(self, x: Tensor, positions: Tensor | None = None) -> Tensor:
        """(N, channels, H, W) of (N, in_channels, H, W); for ``positions`` see :class:`CoordConv`."""
        for i, convolution in enumerate(self):
            x = convolution(x) if i or positions is None else convolution(x, positions)
        return x


def images_of(x: Tensor, images: list[int]) -> Tensor:
    """Rows of (N, ...) at the given rising indices, without a copy if these are all."""
    return x if len(images) == len(x) else x[images]


def of_images(tower: nn.Module, inputs: list[Tensor], images: list[list[int]]) -> list[list[Tensor]]:
    """Results of a tower that all levels share, only for the given images of each level.

    Small maps of one size go through the tower as one batch, and levels that share an input tensor share its result.
    GroupNorm normalizes each map by itself, so neither changes the result.

    Args:
        tower: Module from (N, C, H, W) to (N, D, H, W).
        inputs: (N, C, H_l, W_l) of every level.
        images: Indices of the wanted images of every level.

    Returns:
        (D, H_l, W_l) of each of the ``images`` of every level.
    """
    if is_exported():  # one image; sizes are variables there, by which nothing can be grouped
        of_input = {id(x): tower(x)[0] for x in inputs}
        return [[of_input[id(x)]] for x in inputs]
    maps: dict[tuple[int, int], Tensor] = {}
    for x, level_images in zip(inputs, images):
        slices = x.unbind()
        maps.update({(id(x), image): slices[image] for image in level_images})
    by_size: dict[torch.Size, list[tuple[int, int]]] = {}
    for key, x in maps.items():
        by_size.setdefault(x.shape, []).append(key)
    results: dict[tuple[int, int], Tensor] = {}
    for keys in by_size.values():
        example = maps[keys[0]]
        size = max(_BATCH // example.numel(), 1) if example.device.type == "cpu" else len(keys)
        for some in (keys[i : i + size] for i in range(0, len(keys), size)):
            batch = torch.stack([maps[key] for key in some]) if len(some) > 1 else maps[some[0]][None]
            results.update(zip(some, tower(batch).unbind()))
    return [[results[id(x), image] for image in level_images] for x, level_images in zip(inputs, images)]
