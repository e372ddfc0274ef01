"""Outputs of PointSetAnchor's network for a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from detectron2.structures import Boxes, Instances
from torch import Tensor

from .anchors import point_boxes
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


def people_instances(
    keypoints: Tensor, scores: Tensor, image_size: tuple[int, int], output_size: tuple[int, int]
) -> Instances:
    """People of an image as they leave the detector, in continuous coordinates of the output.

    Args:
        keypoints: (N, J, 3) x, y, score in continuous coordinates of the image.
        scores: (N,) scores of the people.
        image_size, output_size: (height, width) of the image without padding, and of the output.

    Returns:
        Instances with pred_keypoints, pred_boxes (the poses' extents), scores and pred_classes (0).
    """
    result = Instances(tuple(output_size))
    scale = keypoints.new_tensor([output_size[1] / image_size[1], output_size[0] / image_size[0], 1])
    result.pred_keypoints = keypoints * scale
    result.pred_boxes = Boxes(point_boxes(result.pred_keypoints[..., :2]))
    result.scores = scores
    result.pred_classes = torch.zeros(len(keypoints), dtype=torch.int64, device=keypoints.device)
    return result
