"""Heatmap branch: heatmaps of the joints of all people with sub-cell offsets, and snapping of poses to their peaks.

Coordinates are pixel indices of the network's input; index x belongs to cell floor(x / stride).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from detectron2.layers import Conv2d, get_norm
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.processes import shared_count
from ictrack.modeling.winograd import WinogradConv2d


class HeatmapHead(nn.Module):
    """Two equal branches on the finest level, for heatmaps and for offsets: 3x3 convolution, 4x4 transposed
    convolution of stride 2 (each with normalization and ReLU), 1x1 convolution, sigmoid."""

    def __init__(
        self, *, in_channels: int, num_joints: int, conv_dim: int, norm: str, init_std: float, min_probability: float
    ):
        """
        Args:
            in_channels: Channels of the feature.
            num_joints: J.
            conv_dim: Channels of both branches.
            norm: Detectron2's name of the normalization.
            init_std: Standard deviation of the initial weights.
            min_probability: Heatmaps are clamped to [min_probability, 1 - min_probability].
        """
        super().__init__()
        self.min_probability = min_probability
        self.heatmap, self.offset = (
            nn.Sequential(
                WinogradConv2d(
                    in_channels, conv_dim, 3, padding=1, bias=False, norm=get_norm(norm, conv_dim), activation=F.relu
                ),
                nn.ConvTranspose2d(conv_dim, conv_dim, 4, stride=2, padding=1, bias=False),
                get_norm(norm, conv_dim),
                nn.ReLU(),
                Conv2d(conv_dim, channels, 1),
            )
            for channels in (num_joints, 2 * num_joints)
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """
        Args:
            feature: (B, C, H, W).

        Returns:
            Heatmaps (B, J, 2H, 2W) and offsets (B, J, 2, 2H, 2W), x then y, in cells, all float32 in [0, 1].
        """
        offsets = self.offset(feature).float().sigmoid()
        return self.heatmaps(feature), offsets.reshape(offsets.shape[0], -1, 2, *offsets.shape[2:])

    def heatmaps(self, feature: Tensor) -> Tensor:
        """Heatmaps (B, J, 2H, 2W) only."""
        return self.heatmap(feature).float().sigmoid().clamp(self.min_probability, 1 - self.min_probability)


@dataclass(frozen=True)
class HeatmapTargets:
    """Targets of a batch with M labeled cells.

    Attributes:
        heatmaps: (B, J, h, w) maximum over people of a Gaussian that is 1 in the cell of the labeled joint.
        cells: (M, 4) int64 (image, joint, row, column) with a labeled joint.
        offsets: (M, 2) x, y in [0, 1) of the joint in its cell, that of the last person where there are several.
    """

    heatmaps: Tensor
    cells: Tensor
    offsets: Tensor


def heatmap_targets(keypoints: Sequence[Tensor], size: tuple[int, int], stride: int, radius: int) -> HeatmapTargets:
    """
    Args:
        keypoints: B tensors (G, J, 3) of x, y, visibility. Joints of visibility 0 or outside the map are left out.
        size: (h, w) of the map.
        stride: Stride of the map.
        radius: Radius in cells of the Gaussians; their standard deviation is a sixth of the diameter 2 * radius + 1
            (CornerNet, Law and Deng, ECCV 2018).
    """
    height, width = size
    num_joints = keypoints[0].shape[1]
    device = keypoints[0].device
    counts = torch.tensor([len(x) for x in keypoints], device=device)
    images = torch.arange(len(keypoints), device=device).repeat_interleave(counts)
    pose = torch.cat(list(keypoints))
    position = pose[..., :2] / stride
    cell = position.floor()
    inside = (cell >= 0).all(-1) & (cell[..., 0] < width) & (cell[..., 1] < height) & (pose[..., 2] > 0)
    person, joint = inside.nonzero(as_tuple=True)  # rising person
    column, row = cell[person, joint].long().unbind(1)
    plane = images[person] * num_joints + joint

    steps = torch.arange(-radius, radius + 1, device=device)
    sigma = (2 * radius + 1) / 6
    gaussian = torch.exp(-(steps[:, None] ** 2 + steps**2) / (2 * sigma**2))
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    valid = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    flat = ((plane[:, None, None] * height + rows) * width + columns)[valid]
    heatmaps = torch.zeros(len(keypoints) * num_joints * height * width, device=device)
    heatmaps.scatter_reduce_(0, flat, gaussian.expand(valid.shape)[valid], "amax")

    cells, inverse = torch.unique((plane * height + row) * width + column, return_inverse=True)
    last = torch.zeros_like(cells).scatter_reduce_(0, inverse, torch.arange(len(person), device=device), "amax")
    fraction = (position - cell)[person, joint]
    return HeatmapTargets(
        heatmaps=heatmaps.view(len(keypoints), num_joints, height, width),
        cells=torch.stack([images[person[last]], joint[last], row[last], column[last]], dim=1),
        offsets=fraction[last],
    )


def offset_loss(offsets: Tensor, targets: HeatmapTargets) -> Tensor:
    """Mean absolute error over x and y of all labeled cells; 0 without any.

    Args:
        offsets: (B, J, 2, h, w) predicted offsets.
        targets: Targets of the batch.
    """
    image, joint, row, column = targets.cells.unbind(1)
    error = (offsets[image, joint, :, row, column] - targets.offsets).abs()
    return error.sum() / shared_count(error.numel())


@dataclass(frozen=True)
class HeatmapPeaks:
    """Local maxima of one image's heatmaps.

    Attributes:
        points: (J, K, 2) x, y in pixel indices.
        scores: (J, K) heatmap values in falling order; 0 where a joint has fewer peaks.
    """

    points: Tensor
    scores: Tensor


def find_peaks(heatmaps: Tensor, offsets: Tensor, stride: int, kernel_size: int, max_peaks: int) -> HeatmapPeaks:
    """Highest local maxima of every joint. All cells of a plateau are maxima.

    Args:
        heatmaps: (J, h, w).
        offsets: (J, 2, h, w) in cells.
        stride: Stride of the map.
        kernel_size: Odd side of the window whose maximum is a peak.
        max_peaks: K, per joint.
    """
    highest = F.max_pool2d(heatmaps[None], kernel_size, stride=1, padding=kernel_size // 2)[0]
    maxima = (heatmaps * (heatmaps == highest)).flatten(1)
    scores, cells = maxima.topk(min(max_peaks, maxima.shape[1]), dim=1)
    width = heatmaps.shape[-1]
    corner = torch.stack([cells % width, cells.div(width, rounding_mode="floor")], dim=-1)
    offset = offsets.flatten(2).gather(2, cells[:, None].expand(-1, 2, -1)).transpose(1, 2)
    return HeatmapPeaks((corner + offset) * stride, scores)


def snap_to_peaks(points: Tensor, peaks: HeatmapPeaks, gate: float) -> tuple[Tensor, Tensor]:
    """Poses with every joint replaced by the nearest peak of its heatmap.

    Args:
        points: (N, J, 2) x, y.
        peaks: Peaks of the image.
        gate: Largest distance to a peak, in square roots of the pose's area (w h); 0: no limit, as published, so that
            a joint may land on another person.

    Returns:
        (N, J, 2) poses, and (N, J) scores of the peaks that joints were moved to, 0 where they were not.
    """
    squared = (points[:, :, None] - peaks.points).square().sum(-1)  # (N, J, K)
    nearest_squared, nearest = squared.masked_fill(peaks.scores == 0, torch.inf).min(dim=2)
    joint = torch.arange(points.shape[1], device=points.device)
    moved, scores = peaks.points[joint, nearest], peaks.scores[joint, nearest]
    if gate > 0:
        area = (points.amax(1) - points.amin(1)).prod(1)
        near = nearest_squared <= gate**2 * area[:, None]
        moved, scores = torch.where(near[..., None], moved, points), scores * near
    return moved, scores


def sample_heatmaps(heatmaps: Tensor, points: Tensor, stride: int) -> Tensor:
    """(N, J) heatmap values in the cells of joints (N, J, 2); outside the map, those of the nearest cell."""
    num_joints, height, width = heatmaps.shape
    column, row = (points / stride).floor().long().unbind(-1)
    joint = torch.arange(num_joints, device=points.device).expand_as(row)
    return heatmaps[joint, row.clamp(0, height - 1), column.clamp(0, width - 1)]
