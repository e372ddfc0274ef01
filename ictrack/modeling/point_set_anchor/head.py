"""Head of one stage: class, keypoint and box branch, which sample features at the anchor's points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from detectron2.layers import Conv2d
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import DeformConv2d, deform_conv2d

from ictrack.modeling.tracing import is_exported
from ictrack.modeling.winograd import WinogradConv2d

from ..mixed_precision import full_precision
from .anchors import PoseAnchors
from .shared_taps import convolve_at

# (dy, dx) in pixels of the taps of a 3x3 convolution, row-major.
_REGULAR_GRID = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
# Cells whose taps are read together: 256 channels of them stay in a CPU's cache.
_CELLS_AT_ONCE = 400


@dataclass(frozen=True)
class StagePredictions:
    """Predictions of a head for every anchor.

    Attributes:
        logits: (B, A) logits of a person; None if not computed.
        point_deltas: (B, A, J, 2) offsets from the anchor's points, in units of the level's scale.
        box_deltas: (B, A, 4) dx, dy, dlog w, dlog h from the anchor's box; None if not computed.
    """

    logits: Tensor | None
    point_deltas: Tensor
    box_deltas: Tensor | None


class PointAlignedBranch(nn.Module):
    """3x3 convolutions (GroupNorm, ReLU), a deformable 3x3 convolution whose nine taps lie on nine points of the
    anchor (GroupNorm, ReLU), and a 1x1 output convolution."""

    def __init__(self, in_channels: int, conv_dim: int, num_convs: int, num_groups: int, out_channels: int):
        super().__init__()
        self.tower = nn.Sequential(
            *(
                WinogradConv2d(
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
        self.aligned = DeformConv2d(
            conv_dim if num_convs else in_channels, conv_dim, kernel_size=3, padding=1, bias=False
        )
        self.norm = nn.GroupNorm(num_groups, conv_dim)
        self.output = Conv2d(conv_dim, out_channels, kernel_size=1)

    def forward(self, x: Tensor, offsets: Tensor, is_fixed: bool) -> Tensor:
        """(B, out_channels, H, W) float32 of features (B, C, H, W); for the rest see :func:`deformable_convolution`."""
        x = self.tower(x)
        with full_precision(x.device.type):  # the deformable convolution has no half precision on CPUs
            x = deformable_convolution(x.float(), offsets, self.aligned.weight, is_fixed=is_fixed)
        return self.output(F.relu(self.norm(x))).float()


def deformable_convolution(x: Tensor, offsets: Tensor, weight: Tensor, *, is_fixed: bool = False) -> Tensor:
    """(B, D, H, W) result of torchvision's ``deform_conv2d`` with 3x3 kernels and padding 1.

    On a CPU, and in an export, the taps are read otherwise: the backward pass of torchvision's operator would take most
    of a training step and also computes a gradient of the offsets, which is not needed; and few programs that run ONNX
    have the operator. A CPU reads them a block of cells at a time, which halves the time of large levels.

    Args:
        x: (B, C, H, W).
        offsets: (B, 18, H, W) dy and dx of each tap in cells, or (1, 18, H, W) of all images; no gradient passes into
            them.
        weight: (D, C, 3, 3).
        is_fixed: Whether the offsets are (1, 18, H, W), and the same in later calls with this size.
    """
    if x.device.type != "cpu" and not is_exported():
        return deform_conv2d(x, offsets.expand(len(x), -1, -1, -1).contiguous(), weight, padding=1)
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device)[:, None]
    columns = torch.arange(width, device=x.device)
    taps = x.new_tensor(_REGULAR_GRID)
    dy, dx = offsets.detach()[:, 0::2], offsets.detach()[:, 1::2]  # (B, 9, H, W)
    y = dy + rows + taps[:, 0, None, None]
    x_ = dx + columns + taps[:, 1, None, None]
    if is_fixed:
        return convolve_at(x, torch.stack([y[0], x_[0]], dim=1), weight.flatten(2))
    grid = torch.stack([(2 * x_ + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1).flatten(2, 3)  # (B, 9, HW, 2)
    grid = grid.expand(len(x), -1, -1, -1)
    # An export has no loop, whose length would depend on the size of the image.
    blocks = [grid] if is_exported() else grid.split(_CELLS_AT_ONCE, dim=2)
    result = [
        weight.flatten(1) @ F.grid_sample(x, block, "bilinear", "zeros", align_corners=False).flatten(1, 2)
        for block in blocks
    ]
    return torch.cat(result, dim=2).reshape(len(x), -1, height, width)


class PointSetAnchorHead(nn.Module):
    """Three branches shared by all levels."""

    def __init__(
        self,
        *,
        in_channels: int,
        num_joints: int,
        sampled_joints: Sequence[int],
        conv_dim: int,
        num_convs: int,
        num_groups: int,
        prior_prob: float,
        init_std: float,
    ):
        """
        Args:
            in_channels: Channels of every level.
            num_joints: J.
            sampled_joints: Nine joints at which features are sampled, in the order of the kernel's taps.
            conv_dim, num_convs, num_groups: Channels, number of convolutions and GroupNorm groups of every branch.
            prior_prob: Initial probability of a person.
            init_std: Standard deviation of the initial weights.
        """
        super().__init__()
        if len(sampled_joints) != len(_REGULAR_GRID) or not all(0 <= j < num_joints for j in sampled_joints):
            raise ValueError(
                f"MODEL.POINT_SET_ANCHOR.SAMPLED_JOINTS must be {len(_REGULAR_GRID)} indices below {num_joints}, "
                f"are {list(sampled_joints)}"
            )
        self.sampled_joints = list(sampled_joints)
        self.num_joints = num_joints
        self.class_branch, self.point_branch, self.box_branch = (
            PointAlignedBranch(in_channels, conv_dim, num_convs, num_groups, channels)
            for channels in (1, 2 * num_joints, 4)
        )
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, DeformConv2d)):
                nn.init.normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.constant_(self.class_branch.output.bias, -math.log((1 - prior_prob) / prior_prob))

    def forward(
        self,
        features: Sequence[Tensor],
        points: Tensor,
        anchors: PoseAnchors,
        with_logits: bool = True,
        with_boxes: bool = True,
    ) -> StagePredictions:
        """
        Args:
            features: (B, C, H_l, W_l) of every level.
            points: (B, A, J, 2) points of the anchors in this stage; B is 1 where all images share them.
            anchors: Cells and strides.
            with_logits, with_boxes: Whether to run the class branch, the box branch.
        """
        offsets = self.sampling_offsets(points, anchors)
        # In an export the anchors depend on the size of the image.
        is_first_stage = not is_exported() and points.data_ptr() == anchors.points.data_ptr()

        def run(branch: PointAlignedBranch) -> Tensor:
            levels = [branch(x, o, is_first_stage).flatten(2) for x, o in zip(features, offsets)]
            return torch.cat(levels, dim=2).transpose(1, 2)  # (B, A, channels)

        logits = run(self.class_branch)[..., 0] if with_logits else None
        point_deltas = run(self.point_branch)
        point_deltas = point_deltas.reshape(*point_deltas.shape[:2], self.num_joints, 2)
        return StagePredictions(logits, point_deltas, run(self.box_branch) if with_boxes else None)

    def sampling_offsets(self, points: Tensor, anchors: PoseAnchors) -> list[Tensor]:
        """Offsets (B or 1, 18, H_l, W_l) that move each tap of a regular 3x3 kernel onto its point, in feature pixels.

        A point at pixel index p lies at p / stride of the feature map: the first cell's center is pixel index 0.
        """
        taps = (points[:, :, self.sampled_joints] - anchors.origins[:, None]) / anchors.strides[:, None, None]
        offsets = (taps.flip(-1) - taps.new_tensor(_REGULAR_GRID)).flatten(2)  # (B, A, 18): (dy, dx) a tap
        return [
            level.transpose(1, 2).reshape(-1, level.shape[2], *size)
            for level, size in zip(anchors.split(offsets, dim=1), anchors.level_sizes)
        ]
