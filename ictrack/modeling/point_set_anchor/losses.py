"""Losses of PointSetAnchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from fvcore.nn import sigmoid_focal_loss, smooth_l1_loss
from torch import Tensor

from ictrack.modeling.processes import shared_count

from .anchors import PoseAnchors
from .head import StagePredictions
from .heatmap import heatmap_targets, offset_loss
from .outputs import PointSetAnchorOutputs, Stage
from .targets import OKSMatcher, StageTargets, anchor_oks, stage_targets


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


@dataclass(frozen=True)
class HeatmapLosses:
    """Losses of the heatmap branch.

    Attributes:
        stride: Stride of the heatmaps' cells in pixels.
        radius: Radius in cells of the target heatmaps' Gaussians.
        background_weight: See :func:`heatmap_loss`.
        heatmap_weight, offset_weight: Weights of the two losses.
        per_image: Whether the heatmap loss is the mean over images instead of their sum.
    """

    stride: int
    radius: int
    background_weight: float
    heatmap_weight: float
    offset_weight: float
    per_image: bool

    def __call__(
        self, heatmaps: Tensor, offsets: Tensor, keypoints: Sequence[Tensor], annotated: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Losses "heatmap" and "offset".

        Args:
            heatmaps, offsets: See :class:`PointSetAnchorOutputs`.
            keypoints: (G, J, 3) labeled people of each image in pixel indices.
            annotated: See :func:`heatmap_loss`.
        """
        targets = heatmap_targets(keypoints, (heatmaps.shape[2], heatmaps.shape[3]), self.stride, self.radius)
        heat = heatmap_loss(heatmaps, targets.heatmaps, self.background_weight, annotated)
        return {
            "heatmap": self.heatmap_weight * heat / (len(heatmaps) if self.per_image else 1),
            "offset": self.offset_weight * offset_loss(offsets, targets),
        }


@dataclass(frozen=True)
class PointSetAnchorLosses:
    """Targets and losses of the stages and of the heatmap branch.

    Attributes:
        matchers: Assigner of people to anchors, for each stage.
        stage: Losses of every stage.
        heatmap: Losses of the heatmap branch.
    """

    matchers: Sequence[OKSMatcher]
    stage: StageLosses
    heatmap: HeatmapLosses

    @torch.no_grad()
    def targets(
        self, stages: Sequence[Stage], anchors: PoseAnchors, truth: Sequence[tuple[Tensor, Tensor]], sigmas: Tensor
    ) -> list[StageTargets]:
        """Targets of every stage.

        Args:
            stages: Outputs of the stages.
            anchors: Anchors of the first stage.
            truth: Keypoints (G, J, 3) and boxes (G, 4) of every image in pixel indices.
            sigmas: (J,), see :func:`oks`.
        """
        keypoints, boxes = map(list, zip(*truth))
        result = []
        for stage, matcher in zip(stages, self.matchers):
            points, anchor_boxes = (x.expand(len(keypoints), *x.shape[1:]) for x in (stage.points, stage.boxes))
            matches = torch.stack(
                [matcher(anchor_oks(k, p, sigmas), (k[..., 2] > 0).any(1)) for k, p in zip(keypoints, points)]
            )
            result.append(stage_targets(matches, points, anchor_boxes, anchors.scales, keypoints, boxes))
        return result

    def __call__(
        self,
        outputs: PointSetAnchorOutputs,
        stages: Sequence[Stage],
        targets: Sequence[StageTargets],
        keypoints: Sequence[Tensor],
        annotated: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Losses loss_class_stageS, loss_keypoint_stageS, loss_box_stageS (unless its weight is 0), loss_heatmap and
        loss_offset; see :class:`HeatmapLosses` for ``keypoints`` and ``annotated``."""
        losses = {
            f"loss_{name}_stage{i}": loss
            for i, (stage, target) in enumerate(zip(stages, targets))
            for name, loss in self.stage(stage.predictions, target).items()
        }
        heatmap = self.heatmap(outputs.heatmaps, outputs.offsets, keypoints, annotated)
        return {**losses, **{f"loss_{name}": loss for name, loss in heatmap.items()}}
