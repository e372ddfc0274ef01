"""Keypoint embedding map, and sampling it at joints.

Naming convention:
    B: images, N_i: poses of image i, J: joints, C: channels, D: embedding dimension, (H, W): resolution of the feature
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.tracing import area_average, map_extent

from ..mixed_precision import full_precision


class KeypointEncoderDecoder(nn.Module):
    """Embedding map of twice a feature's resolution, from the feature and the joints' heatmaps, if any.

    One convolution (encoder) and one transposed convolution of stride 2 (decoder), as in the supplementary of
    arXiv 2104.00287. By default both are followed by GroupNorm and ReLU, and a 1x1 convolution reduces the channels to
    D (inferred, after PointSetAnchor's heatmap branch); in the literal reading, without it, the decoder outputs D
    channels.
    """

    def __init__(
        self, *, in_channels: int, num_heatmaps: int, conv_dim: int, num_groups: int, dim: int, output_conv: bool
    ):
        """
        Args:
            in_channels: C of the feature.
            num_heatmaps: J, or 0 for a detector without heatmaps.
            conv_dim: Channels of the encoder, and of the decoder with ``output_conv``.
            num_groups: Groups of the GroupNorms.
            dim: D.
            output_conv: Whether to add the 1x1 convolution.
        """
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(in_channels + num_heatmaps, conv_dim, 3, padding=1, bias=False),
            nn.GroupNorm(num_groups, conv_dim),
            nn.ReLU(),
        )
        width = conv_dim if output_conv else dim
        deconv = nn.ConvTranspose2d(conv_dim, width, 4, stride=2, padding=1, bias=not output_conv)
        output: nn.Conv2d | nn.ConvTranspose2d = deconv
        layers: list[nn.Module] = [deconv]
        if output_conv:
            output = nn.Conv2d(width, dim, 1)
            layers += [nn.GroupNorm(num_groups, width), nn.ReLU(), output]
        self.decoder = nn.Sequential(*layers)
        # A common offset would make all people alike at the start of training.
        nn.init.zeros_(output.get_parameter("bias"))

    def forward(self, feature: Tensor, heatmaps: Tensor | None = None) -> Tensor:
        """
        Args:
            feature: (B, C, H, W).
            heatmaps: (B, J, h, w) of the same input at any resolution; averaged to (H, W).

        Returns:
            (B, D, 2H, 2W) embedding map.
        """
        if heatmaps is None:
            return self.decoder(self.encoder(feature))
        heatmaps = area_average(heatmaps, feature.shape[-2:]).to(feature.dtype)
        return self.decoder(self.encoder(torch.cat([feature, heatmaps], dim=1)))


def sample_joints(embedding_map: Tensor, points: list[Tensor], stride: float) -> Tensor:
    """Bilinear samples of a map at joints; border cells are extended outward.

    Args:
        embedding_map: (B, D, h, w).
        points: B tensors (N_i, J, 2) x, y in continuous pixels, where the map's first cell is from 0 to ``stride``.
        stride: Stride of the map.

    Returns:
        (sum_i N_i, J, D) float32, images in order.
    """
    size = map_extent(embedding_map, stride).to(points[0])
    with full_precision(embedding_map.device.type):
        read = [
            F.grid_sample(one[None].float(), (2 * p / size - 1)[None].float(), "bilinear", "border", False)[0]
            for one, p in zip(embedding_map, points)
        ]
    return torch.cat(read, dim=1).permute(1, 2, 0)


def inside_map(embedding_map: Tensor, points: Tensor, stride: float) -> Tensor:
    """(...) bool, True for points (..., 2) inside the area that a map of ``stride`` covers."""
    return ((points >= 0) & (points <= map_extent(embedding_map, stride).to(points))).all(dim=-1)
