"""Outputs of PointSetAnchor's network for a batch."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .head import StagePredictions


@dataclass(frozen=True)
class PointSetAnchorOutputs:
    """Outputs for a batch of B images. The stages are computed from them where the sizes of the images are known, since
    later stages look at points inside the images.

    Attributes:
        padded_size: (H, W) of the network's input.
        features: Features of the backbone by name.
        heatmaps: (B, J, h, w) probabilities.
        offsets: (B, J, 2, h, w) in cells.
    """

    padded_size: tuple[int, int]
    features: dict[str, Tensor]
    heatmaps: Tensor
    offsets: Tensor


@dataclass(frozen=True)
class Stage:
    """Stage for a batch; B is 1 where all images share the anchors.

    Attributes:
        points: (B, A, J, 2) points of the anchors.
        boxes: (B, A, 4) boxes of the anchors.
        predictions: Predictions of the stage's head.
        poses: (B, A, J, 2) decoded poses, clipped to the images, without a gradient: the next stage's points.
    """

    points: Tensor
    boxes: Tensor
    predictions: StagePredictions
    poses: Tensor
