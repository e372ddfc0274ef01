"""Masks out of boxes: a class-agnostic mask head for detectors that have none."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec, paste_masks_in_image
from detectron2.modeling.poolers import ROIPooler
from detectron2.structures import BitMasks, Boxes, Instances
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.losses.dice import dice_loss
from ictrack.modeling.processes import shared_count


class BoxMaskHead(nn.Module):
    """Mask of the object in a box, from features that are pooled in the box.

    Every feature is pooled to R x R cells (RoIAlign), whatever the size of the box; two channels add the location in
    the box. Convolutions and one deconvolution give 2 R x 2 R mask logits, as Mask R-CNN's head with far fewer
    channels: some 900 labeled objects teach it to cut more closely than the box.

    Naming convention:
        B: images, N: boxes of all images, R: resolution
    """

    position: Tensor

    @configurable
    def __init__(
        self,
        *,
        in_features: Sequence[str],
        input_shape: dict[str, ShapeSpec],
        num_convs: int,
        conv_dim: int,
        resolution: int,
        box_jitter: float,
        loss_weight: float,
        threshold: float,
    ):
        """
        Args:
            in_features: Names of the features to read.
            input_shape: Shapes of (at least) those features.
            num_convs, conv_dim: Number of 3x3 convolutions, and their channels.
            resolution: R.
            box_jitter: Largest shift of each side of a box in training, as a share of the box's size.
            loss_weight: Weight of both losses.
            threshold: Probability above which a pixel is in the mask.
        """
        super().__init__()
        if missing := [name for name in in_features if name not in input_shape]:
            raise ValueError(f"MODEL.BOX_MASK.IN_FEATURES {missing} are not among the features {list(input_shape)}")
        self.in_features = list(in_features)
        self.poolers = nn.ModuleList(
            ROIPooler(resolution, [1 / (input_shape[name].stride or 1)], 0, "ROIAlignV2") for name in in_features
        )
        channels = sum(input_shape[name].channels or 0 for name in in_features) + 2
        layers: list[nn.Module] = []
        for _ in range(num_convs):
            layers += [nn.Conv2d(channels, conv_dim, 3, padding=1), nn.ReLU()]
            channels = conv_dim
        layers += [nn.ConvTranspose2d(channels, conv_dim, 2, stride=2), nn.ReLU(), nn.Conv2d(conv_dim, 1, 1)]
        self.layers = nn.Sequential(*layers)
        line = torch.linspace(-1, 1, resolution)
        self.register_buffer("position", torch.stack(torch.meshgrid(line, line, indexing="ij")), persistent=False)
        self.resolution = resolution
        self.box_jitter = box_jitter
        self.loss_weight = loss_weight
        self.threshold = threshold

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        options = cfg.MODEL.BOX_MASK
        return {
            "in_features": options.IN_FEATURES,
            "input_shape": input_shape,
            "num_convs": options.NUM_CONVS,
            "conv_dim": options.CONV_DIM,
            "resolution": options.RESOLUTION,
            "box_jitter": options.BOX_JITTER,
            "loss_weight": options.LOSS_WEIGHT,
            "threshold": options.MASK_THRESH_TEST,
        }

    def forward(self, features: dict[str, Tensor], boxes: Sequence[Boxes]) -> Tensor:
        """
        Args:
            features: Name -> (B, C_l, H_l, W_l) of the padded input.
            boxes: B Boxes in pixels of that input.

        Returns:
            (N, 2 R, 2 R) logits, each over its box.
        """
        pooled = [pooler([features[name]], list(boxes)) for pooler, name in zip(self.poolers, self.in_features)]
        position = self.position.expand(len(pooled[0]), -1, -1, -1)
        return self.layers(torch.cat([*pooled, position], dim=1))[:, 0]

    def losses(self, features: dict[str, Tensor], instances: Sequence[Instances]) -> dict[str, Tensor]:
        """Binary cross-entropy and dice loss of the masks in jittered ground-truth boxes.

        Args:
            features: See :meth:`forward`.
            instances: Ground truth of each image, on the features' device, with gt_boxes and gt_masks: BitMasks, or
                (N_i, H, W) of the padded input.
        """
        boxes = [self._jittered(x.gt_boxes.tensor, x.image_size) for x in instances]
        logits = self(features, boxes)
        share = len(logits) / shared_count(len(logits))  # of this process in the mean over all objects
        if not len(logits):
            return {"loss_box_mask": logits.sum(), "loss_box_mask_dice": logits.sum()}
        masks = [x.gt_masks if isinstance(x.gt_masks, BitMasks) else BitMasks(x.gt_masks) for x in instances]
        side = 2 * self.resolution
        targets = torch.cat([m.crop_and_resize(b.tensor, side) for m, b in zip(masks, boxes)]).to(logits)
        dice = dice_loss(logits.sigmoid().flatten(1), targets.flatten(1), 1.0)
        return {
            "loss_box_mask": self.loss_weight * share * F.binary_cross_entropy_with_logits(logits, targets),
            "loss_box_mask_dice": self.loss_weight * share * dice.mean(),
        }

    def paste(
        self, features: dict[str, Tensor], instances: Sequence[Instances], input_sizes: Sequence[tuple[int, int]]
    ) -> list[Tensor]:
        """(N_i, height, width) bool masks of detections, at their own resolution.

        Args:
            features: See :meth:`forward`.
            instances: Detections of each image with pred_boxes.
            input_sizes: (h, w) of each image in the network's input, without padding.
        """
        boxes = []
        for x, (height, width) in zip(instances, input_sizes):
            scaled = Boxes(x.pred_boxes.tensor.clone())
            scaled.scale(width / x.image_size[1], height / x.image_size[0])
            boxes.append(scaled)
        probabilities = self(features, boxes).float().sigmoid().split([len(x) for x in instances])
        return [
            paste_masks_in_image(mask, x.pred_boxes, x.image_size, self.threshold)
            for mask, x in zip(probabilities, instances)
        ]

    def _jittered(self, boxes: Tensor, size: tuple[int, int]) -> Boxes:
        sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
        shifted = Boxes(boxes + (2 * torch.rand_like(boxes) - 1) * self.box_jitter * sides)
        shifted.clip(size)
        return shifted
