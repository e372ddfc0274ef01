"""Head of NanoDet: class logits and distributions of the four box sides at every cell of every level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .backbone import conv_act


class NanoDetHead(nn.Module):
    """One 3x3 convolution and a 1x1 output convolution for each level, nothing shared between levels.

    Naming convention:
        B: images, K: classes, R: largest distance in strides, A: cells of all levels, fine to coarse and row by row
    """

    centers: Tensor

    def __init__(
        self,
        *,
        in_channels: int,
        conv_dim: int,
        num_classes: int,
        strides: Sequence[int],
        reg_max: int,
        prior_prob: float,
    ):
        """
        Args:
            in_channels, conv_dim: Channels of the levels and of the 3x3 convolution.
            num_classes: K.
            strides: Stride of each level.
            reg_max: R; a side's distance to the cell's center is the mean of a distribution over 0, ..., R strides.
            prior_prob: Initial probability of each class, set by the output biases.
        """
        super().__init__()
        self.num_classes = num_classes
        self.strides = list(strides)
        self.reg_max = reg_max
        outputs = num_classes + 4 * (reg_max + 1)
        self.towers = nn.ModuleList(conv_act(in_channels, conv_dim) for _ in strides)
        self.outputs = nn.ModuleList(nn.Conv2d(conv_dim, outputs, 1) for _ in strides)
        for output in self.outputs:
            nn.init.normal_(output.weight, std=0.01)  # type: ignore[arg-type]
            nn.init.zeros_(output.bias)  # type: ignore[arg-type]
            nn.init.constant_(output.bias[:num_classes], -math.log(1 / prior_prob - 1))  # type: ignore[index]
        self.register_buffer("bins", torch.arange(reg_max + 1.0), persistent=False)

    bins: Tensor

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """
        Args:
            levels: (B, C, H_l, W_l) of each level.

        Returns:
            (B, A, K) class logits, and (B, A, 4, R + 1) logits of the distances to the left, top, right and bottom.
        """
        flat = torch.cat(
            [
                output(tower(x)).flatten(2).transpose(1, 2)
                for tower, output, x in zip(self.towers, self.outputs, levels)
            ],
            dim=1,
        )
        logits, sides = flat.split([self.num_classes, flat.shape[-1] - self.num_classes], dim=-1)
        return logits, sides.unflatten(-1, (4, self.reg_max + 1))

    def rename_weights(self, weights: dict[str, Any], prefix: str = "") -> None:
        """Make outputs for other classes fit, in place: their rows for the sides of boxes are kept, and those of the
        classes stay as they are here."""
        own = self.state_dict()
        for name in own:
            given = weights.get(prefix + name)
            if (
                not name.startswith("outputs.")
                or not isinstance(given, Tensor)
                or given.shape[1:] != own[name].shape[1:]
            ):
                continue
            num_sides = len(own[name]) - self.num_classes
            if len(given) != len(own[name]) and len(given) > num_sides:
                weights[prefix + name] = torch.cat([own[name][: self.num_classes].to(given), given[-num_sides:]])

    def cells(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(A, 2) x, y of the cells' centers in pixels of the padded input, and (A,) strides of their levels."""
        centers, strides = [], []
        for x, stride in zip(levels, self.strides):
            ys, xs = (
                (torch.arange(side, device=x.device, dtype=torch.float32) + 0.5) * stride for side in x.shape[-2:]
            )
            grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1).flatten(0, 1)
            centers.append(grid)
            strides.append(torch.full_like(grid[:, 0], stride))
        return torch.cat(centers), torch.cat(strides)

    def boxes(self, sides: Tensor, centers: Tensor, strides: Tensor) -> Tensor:
        """(..., A, 4) XYXY boxes in pixels of the padded input, from logits (..., A, 4, R + 1)."""
        distances = (sides.float().softmax(-1) @ self.bins) * strides[:, None]
        return torch.cat([centers - distances[..., :2], centers + distances[..., 2:]], dim=-1)
