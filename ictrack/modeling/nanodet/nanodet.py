"""NanoDet as a Detectron2 meta-architecture, optionally with an embedding head inside :class:`EmbeddedDetector`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import batched_nms
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import Boxes, ImageList, Instances, pairwise_iou
from fvcore.nn import giou_loss
from torch import Tensor, nn

from ictrack.losses.generalized_focal import distribution_focal_loss, quality_focal_loss
from ictrack.modeling.processes import shared_count

from .head import NanoDetHead
from .targets import assign_cells


@META_ARCH_REGISTRY.register()
class NanoDet(nn.Module):
    """One-stage detector of boxes with a generalized focal loss (github.com/RangiLyu/nanodet, version 0).

    The published NanoDet-g runs in it (3.8 M parameters, 80 COCO classes). Its normalization is folded into the
    convolutions, which are trained as they are.

    Naming convention:
        B: images, A: cells of all levels, K: classes, M: ground-truth boxes of an image
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        head: NanoDetHead,
        in_features: Sequence[str],
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        assigner_top_k: int,
        quality_loss_weight: float,
        box_loss_weight: float,
        distribution_loss_weight: float,
        score_thresh: float,
        nms_thresh: float,
        nms_class_agnostic: bool,
        pre_nms_top_k: int,
        max_detections: int,
    ):
        """
        Args:
            backbone: Backbone.
            head: Class and box outputs.
            in_features: Backbone feature of each of the head's levels.
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            assigner_top_k: See :func:`assign_cells`.
            quality_loss_weight, box_loss_weight, distribution_loss_weight: Weights of the three losses.
            score_thresh, nms_thresh, pre_nms_top_k, max_detections: Smallest score of a detection, IoU at which the
                better box suppresses another, number of candidates, and number of detections of an image.
            nms_class_agnostic: Whether boxes of different classes suppress each other.
        """
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.in_features = list(in_features)
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        self.assigner_top_k = assigner_top_k
        self.quality_loss_weight = quality_loss_weight
        self.box_loss_weight = box_loss_weight
        self.distribution_loss_weight = distribution_loss_weight
        self.score_thresh = score_thresh
        self.nms_thresh = nms_thresh
        self.nms_class_agnostic = nms_class_agnostic
        self.pre_nms_top_k = pre_nms_top_k
        self.max_detections = max_detections

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        nanodet = cfg.MODEL.NANODET
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        if missing := [name for name in nanodet.IN_FEATURES if name not in shapes]:
            raise ValueError(f"MODEL.NANODET.IN_FEATURES {missing} are not among the backbone's outputs {list(shapes)}")
        levels = [shapes[name] for name in nanodet.IN_FEATURES]
        if len({level.channels for level in levels}) != 1:
            raise ValueError("MODEL.NANODET.IN_FEATURES must have one number of channels")
        return {
            "backbone": backbone,
            "head": NanoDetHead(
                in_channels=levels[0].channels or 0,
                conv_dim=nanodet.CONV_DIM,
                num_classes=nanodet.NUM_CLASSES,
                strides=[level.stride or 0 for level in levels],
                reg_max=nanodet.REG_MAX,
                prior_prob=nanodet.PRIOR_PROB,
            ),
            "in_features": nanodet.IN_FEATURES,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "assigner_top_k": nanodet.ASSIGNER_TOP_K,
            "quality_loss_weight": nanodet.QUALITY_LOSS_WEIGHT,
            "box_loss_weight": nanodet.BOX_LOSS_WEIGHT,
            "distribution_loss_weight": nanodet.DISTRIBUTION_LOSS_WEIGHT,
            "score_thresh": nanodet.SCORE_THRESH_TEST,
            "nms_thresh": nanodet.NMS_THRESH_TEST,
            "nms_class_agnostic": nanodet.NMS_CLASS_AGNOSTIC,
            "pre_nms_top_k": nanodet.PRE_NMS_TOPK_TEST,
            "max_detections": cfg.TEST.DETECTIONS_PER_IMAGE,
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[dict]:
        """
        Args:
            batched_inputs: Dict of each image, with "image" (C, h, w), in training "instances" with gt_boxes and
                gt_classes, and at test time "height" and "width" of the output (by default those of "image").

        Returns:
            In training the losses loss_quality, loss_box and loss_distribution. At test time {"instances": Instances}
            of each image, with pred_boxes, scores and pred_classes.
        """
        images = self.preprocess_image(batched_inputs)
        features = self.backbone(images.tensor)
        levels = [features[name] for name in self.in_features]
        logits, sides = self.head(levels)
        centers, strides = self.head.cells(levels)
        if self.training:
            return self.losses(logits, sides, centers, strides, [x["instances"] for x in batched_inputs])
        boxes = self.head.boxes(sides, centers, strides)
        results = []
        for x, image_logits, image_boxes, size in zip(batched_inputs, logits, boxes, images.image_sizes):
            found = self.select(image_logits.float().sigmoid(), image_boxes, size)
            height, width = x.get("height", size[0]), x.get("width", size[1])
            results.append({"instances": detector_postprocess(found, height, width)})
        return results

    def preprocess_image(self, batched_inputs: list[dict]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        images = [(x["image"].to(self.device) - self.pixel_mean) / self.pixel_std for x in batched_inputs]
        return ImageList.from_tensors(images, self.backbone.size_divisibility)

    def select(self, scores: Tensor, boxes: Tensor, image_size: tuple[int, int]) -> Instances:
        """Detections of one image after suppression.

        Args:
            scores: (A, K) probabilities.
            boxes: (A, 4) XYXY.
            image_size: (height, width) to which boxes are clipped.
        """
        cells, classes = (scores > self.score_thresh).nonzero(as_tuple=True)
        candidates, order = scores[cells, classes].sort(descending=True, stable=True)
        order = order[: self.pre_nms_top_k]
        cells, classes, candidates = cells[order], classes[order], candidates[: self.pre_nms_top_k]
        clipped = Boxes(boxes[cells])
        clipped.clip(image_size)
        groups = torch.zeros_like(classes) if self.nms_class_agnostic else classes
        kept = batched_nms(clipped.tensor, candidates, groups, self.nms_thresh)[: self.max_detections]
        return Instances(image_size, pred_boxes=clipped[kept], scores=candidates[kept], pred_classes=classes[kept])

    def losses(
        self, logits: Tensor, sides: Tensor, centers: Tensor, strides: Tensor, instances: Sequence[Instances]
    ) -> dict[str, Tensor]:
        """Generalized focal losses (Eq. 8 of arXiv 2006.04388, weighted as in NanoDet).

        Args:
            logits, sides: Outputs of the head.
            centers, strides: :meth:`NanoDetHead.cells`.
            instances: Ground truth of each image, with gt_boxes and gt_classes.
        """
        boxes = self.head.boxes(sides, centers, strides)
        qualities = torch.zeros_like(logits, dtype=torch.float32)
        predicted, targets, rows = [], [], []
        for image, truth in enumerate(instances):
            gt_boxes = truth.gt_boxes.tensor.to(self.device)
            gt_index = assign_cells(gt_boxes, centers, strides, self.assigner_top_k)
            cells = (gt_index >= 0).nonzero().squeeze(1)
            gt_index = gt_index[cells]
            matched = gt_boxes[gt_index]
            iou = pairwise_iou(Boxes(boxes[image, cells].detach()), Boxes(gt_boxes))
            classes = truth.gt_classes.to(self.device)[gt_index]
            qualities[image, cells, classes] = iou[torch.arange(len(cells), device=iou.device), gt_index]
            predicted.append(boxes[image, cells])
            targets.append(matched)
            rows.append(torch.stack([torch.full_like(cells, image), cells], dim=1))
        images, cells = torch.cat(rows).unbind(1)
        num_positives = shared_count(len(cells))
        # Boxes count by the score of their class, so that good ones dominate.
        weights = logits[images, cells].detach().float().sigmoid().amax(dim=1)
        total = shared_count(float(weights.sum()))
        matched = torch.cat(targets)
        reach = strides[cells, None]
        distances = torch.cat([centers[cells] - matched[:, :2], matched[:, 2:] - centers[cells]], dim=1) / reach
        distances = distances.clamp(0, self.head.reg_max - 0.1)
        distribution = distribution_focal_loss(sides[images, cells].float().flatten(0, 1), distances.flatten())
        return {
            "loss_quality": self.quality_loss_weight
            * quality_focal_loss(logits.float(), qualities).sum()
            / num_positives,
            "loss_box": self.box_loss_weight * (giou_loss(torch.cat(predicted), matched) * weights).sum() / total,
            "loss_distribution": self.distribution_loss_weight
            * (distribution.view(-1, 4).mean(dim=1) * weights).sum()
            / total,
        }
