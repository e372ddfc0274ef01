"""Losses of PointSetAnchor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from fvcore.nn import sigmoid_focal_loss, smooth_l1_loss
from torch import Tensor

from ictrack.modeling.processes import shared_count

from .head import StagePredictions
from .targets import StageTargets


@dataclass(frozen=True)
class StageLosses:
    """Class, keypoint and box loss; the fields are those of ``cfg.MODEL.POINT_SET_ANCHOR``.

    Each is a sum over the batch, divided by its number of positive anchors (at least 1 per image). There is no box loss
    where its weight is 0.
    """

    focal_alpha: float
    focal_gamma: float
    box_beta: float
    class_weight: float
    keypoint_weight: float
    box_weight: float

    def __call__(self, predictions: StagePredictions, targets: StageTargets) -> dict[str, Tensor]:
        """
        Args:
            predictions: Predictions of all branches that have a loss.
            targets: Targets of the stage.

        Returns:
            * class: Sigmoid focal loss over all anchors that are not ignored.
            * keypoint: L1 distance of labeled joints, x and y summed, in units of the level's scale.
            * box: Smooth L1 loss of the four box deltas.
        """
        assert predictions.logits is not None
        positives = targets.images, targets.anchors
        normalizer = shared_count(targets.normalizer)
        focal = sigmoid_focal_loss(predictions.logits, targets.labels, self.focal_alpha, self.focal_gamma)
        distance = (predictions.point_deltas[positives] - targets.point_deltas).abs().sum(-1)
        losses = {
            "class": self.class_weight * (focal * targets.weights).sum() / normalizer,
            "keypoint": self.keypoint_weight * (distance * targets.point_weights).sum() / normalizer,
        }
        if self.box_weight:
            assert predictions.box_deltas is not None
            box = smooth_l1_loss(predictions.box_deltas[positives], targets.box_deltas, self.box_beta, reduction="sum")
            losses["box"] = self.box_weight * box / normalizer
        return losses


def heatmap_loss(
    heatmaps: Tensor, targets: Tensor, background_weight: float, annotated: Tensor | None = None
) -> Tensor:
    """Sum of squared errors over all cells, joints and images, weighted by ``background_weight`` where the target is 0.

    Args:
        heatmaps: (B, J, h, w) probabilities.
        targets: (B, J, h, w).
        background_weight: Weight of cells with target 0.
        annotated: (B, J) bool, False for joints that are not annotated in an image; by default True.
    """
    weights = torch.where(targets > 0, 1.0, background_weight)
    if annotated is not None:
        weights = weights * annotated[..., None, None]
    return ((heatmaps - targets).square() * weights).sum()
