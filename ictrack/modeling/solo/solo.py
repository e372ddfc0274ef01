"""SOLO v1 as a Detectron2 meta-architecture, optionally with an embedding head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import Boxes, ImageList, Instances
from fvcore.nn import sigmoid_focal_loss
from torch import Tensor
from torch.nn import functional as F

from ictrack.losses.dice import dice_loss
from ictrack.modeling.detector_base import TrackableDetector
from ictrack.modeling.embedding import EmbeddingHead, build_embedding_head
from ictrack.modeling.freezing import frozen_parts

from .grid import grid_cells
from .head import SOLOHead, resize
from .inference import SOLOSelector, paste_masks
from .matrix_nms import point_nms
from .targets import SOLOTargetAssigner, SOLOTargets, bit_masks


@META_ARCH_REGISTRY.register()
class SOLO(TrackableDetector):
    """Wang et al., "SOLO: Segmenting Objects by Locations", ECCV 2020.

    Every cell of a grid predicts the category of the instance whose mass center it holds, and that instance's mask over
    the whole image. Detections keep their cell, at which ``embedding_head`` reads their embedding (Fu et al., CVPR
    2021).

    Naming convention:
        N: images of the batch, K: categories, l: level, S_l: cells along a side of its grid, (H, W): size of the
        network's input with padding
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    grid_cells: Tensor  # (sum of S_l^2, 3) int64 (level, row, col) of every cell
    cell_strides: Tensor  # (sum of S_l^2,) int64 stride of its level

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        head: SOLOHead,
        in_features: Sequence[str],
        strides: Sequence[int],
        target_assigner: SOLOTargetAssigner,
        selector: SOLOSelector,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        focal_alpha: float,
        focal_gamma: float,
        dice_eps: float,
        category_loss_weight: float,
        mask_loss_weight: float,
        frozen: Sequence[str] = (),
        embedding_head: EmbeddingHead | None = None,
    ):
        """
        Args:
            backbone: Backbone.
            head: Category and mask branches.
            in_features: Backbone feature of each level; a feature may serve several levels.
            strides: Stride of each level's head input, even and rising; features of another stride are resized.
            target_assigner: Assigner of training targets.
            selector: Selector of detections at test time.
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            focal_alpha, focal_gamma: Parameters of the category loss.
            dice_eps: Constant of the mask loss.
            category_loss_weight, mask_loss_weight: Weights of the two losses.
            frozen: Parts that are not trained, see :meth:`TrackableDetector.freeze_parts`.
            embedding_head: Head on :meth:`embedding_features`; None for a detector without embeddings.
        """
        super().__init__()
        num_levels = len(head.num_grids)
        if not len(in_features) == len(strides) == len(target_assigner.scale_ranges) == num_levels:
            raise ValueError(
                f"SOLO needs one entry a level: {len(in_features)} IN_FEATURES, {len(strides)} STRIDES, "
                f"{num_levels} NUM_GRIDS, {len(target_assigner.scale_ranges)} SCALE_RANGES"
            )
        if any(stride % 2 for stride in strides) or list(strides) != sorted(strides):
            raise ValueError(f"SOLO needs even STRIDES from fine to coarse, got {list(strides)}")
        self.backbone = backbone
        self.head = head
        self.in_features = list(in_features)
        self.strides = list(strides)
        self.target_assigner = target_assigner
        self.selector = selector
        self.focal_alpha = focal_alpha
        self.focal_gamma = focal_gamma
        self.dice_eps = dice_eps
        self.category_loss_weight = category_loss_weight
        self.mask_loss_weight = mask_loss_weight
        self.embedding_head = embedding_head
        self.size_divisibility = math.lcm(backbone.size_divisibility or 1, *strides)

        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        cells = grid_cells(head.num_grids)
        self.register_buffer("grid_cells", cells, False)
        self.register_buffer("cell_strides", torch.tensor(self.strides)[cells[:, 0]], False)

        self.freeze_parts(frozen, self.head)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        solo = cfg.MODEL.SOLO
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        missing = [name for name in solo.IN_FEATURES if name not in shapes]
        if missing:
            raise ValueError(f"MODEL.SOLO.IN_FEATURES {missing} are not among the backbone's outputs {list(shapes)}")
        channels = {shapes[name].channels for name in solo.IN_FEATURES}
        if len(channels) != 1:
            raise ValueError(f"MODEL.SOLO.IN_FEATURES must have one number of channels, have {sorted(channels)}")
        return {
            "backbone": backbone,
            "head": SOLOHead(
                in_channels=channels.pop(),
                num_classes=solo.NUM_CLASSES,
                num_grids=solo.NUM_GRIDS,
                conv_dim=solo.CONV_DIM,
                num_convs=solo.NUM_CONVS,
                num_groups=solo.NUM_GROUPS,
                prior_prob=solo.PRIOR_PROB,
                init_std=solo.INIT_STD,
                coord_gain=solo.COORD_GAIN,
            ),
            "in_features": solo.IN_FEATURES,
            "strides": solo.STRIDES,
            "target_assigner": SOLOTargetAssigner(
                num_classes=solo.NUM_CLASSES,
                strides=solo.STRIDES,
                num_grids=solo.NUM_GRIDS,
                scale_ranges=solo.SCALE_RANGES,
                center_region=solo.CENTER_REGION,
            ),
            "selector": SOLOSelector(
                score_thresh=solo.SCORE_THRESH_TEST,
                mask_thresh=solo.MASK_THRESH_TEST,
                nms_pre_topk=solo.NMS_PRE_TOPK,
                nms_kernel=solo.NMS_KERNEL,
                nms_sigma=solo.NMS_SIGMA,
                nms_class_agnostic=solo.NMS_CLASS_AGNOSTIC,
                update_thresh=solo.UPDATE_THRESH_TEST,
                max_detections=cfg.TEST.DETECTIONS_PER_IMAGE,
            ),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "focal_alpha": solo.FOCAL_ALPHA,
            "focal_gamma": solo.FOCAL_GAMMA,
            "dice_eps": solo.DICE_EPS,
            "category_loss_weight": solo.CATEGORY_LOSS_WEIGHT,
            "mask_loss_weight": solo.MASK_LOSS_WEIGHT,
            "frozen": frozen_parts(cfg),
            "embedding_head": build_embedding_head(
                cfg, _with_strides(shapes, solo.IN_FEATURES, solo.STRIDES), solo.IN_FEATURES
            ),
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[dict]:
        """
        Args:
            batched_inputs: Dict of each image, with

                * image: (C, h, w) tensor, channels as in ``cfg.INPUT.FORMAT``.
                * instances (training): Instances with gt_boxes, gt_classes, gt_masks (BitMasks or PolygonMasks), and
                  gt_ids where an instance is in several images of the batch. Samples of unlabeled video (see
                  ``VideoDatasetMapper``) train the video head of a :class:`VideoEmbedding`.
                * height, width (test): Size of the output; by default that of "image".

        Returns:
            In training the losses: loss_category and loss_mask, unless frozen, and those of the embedding head. At
            test time {"instances": Instances} of each image, with pred_boxes (the masks' tight boxes), scores,
            pred_classes, pred_masks (N, height, width) bool, grid_cells (N, 3) int64 (level, row, col), and
            embeddings (N, D) where there is an embedding head.
        """
        if self.training:
            return self.training_losses(batched_inputs)
        images = self.preprocess_image(batched_inputs)
        return self.inference(self.backbone(images.tensor), images, batched_inputs)

    def image_losses(self, batched_inputs: list[dict]) -> dict[str, Tensor]:
        if any("instances" not in x for x in batched_inputs):
            raise ValueError("SOLO trains on images with instances; an image of the batch has none (nor an empty set)")
        features, padded_size = self._backbone_features([x["image"] for x in batched_inputs])
        inputs = self.level_inputs(features, padded_size)
        instances = [x["instances"] for x in batched_inputs]
        masks = [bit_masks(x) for x in instances]
        targets = self._targets(instances, masks, padded_size)
        losses = self.detector_losses(inputs, targets) if self.trainable else {}
        if self.embedding_head is not None:
            cells = self._cell_instances(targets.positives, instances, padded_size)
            located = self.locate_ground_truth(self.embedding_head, instances, padded_size, cells)
            losses.update(self.embedding_head.losses(self.embedding_features(features, inputs), located, padded_size))
        return losses

    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """:meth:`embedding_features` of images (C, h, w), and (H, W) of the padded input."""
        features, padded_size = self._backbone_features(images)
        return self.embedding_features(features, self.level_inputs(features, padded_size)), padded_size

    def _backbone_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        batch = self.preprocess_image([{"image": image} for image in images]).tensor
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trainable):
            return self.backbone(batch), (batch.shape[-2], batch.shape[-1])

    def _targets(
        self, instances: Sequence[Instances], masks: list[Tensor], padded_size: tuple[int, int]
    ) -> SOLOTargets:
        boxes, classes = [x.gt_boxes.tensor for x in instances], [x.gt_classes for x in instances]
        return self.target_assigner(boxes, classes, masks, padded_size)

    def assign_cells(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> list[Instances]:
        """Positive cells of instances with gt_masks, gt_boxes and gt_classes; see :class:`TrackableDetector`."""
        instances = [x.to("cpu") for x in instances]
        positives = self._targets(instances, [bit_masks(x) for x in instances], padded_size).positives
        return self._cell_instances(positives, instances, padded_size)

    def _cell_instances(
        self, positives: Tensor, instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Instances]:
        """``positives`` of :class:`SOLOTargets`, which are sorted by image, as Instances."""
        counts = torch.bincount(positives[:, 0], minlength=len(instances)).tolist()
        rows = positives.to(self.device).split(counts)
        return [Instances(padded_size, grid_cells=x[:, 1:4], gt_index=x[:, 4]) for x in rows]

    def preprocess_image(self, batched_inputs: list[dict]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        images = [(x["image"].to(self.device) - self.pixel_mean) / self.pixel_std for x in batched_inputs]
        return ImageList.from_tensors(images, self.size_divisibility)

    def level_inputs(self, features: dict[str, Tensor], padded_size: tuple[int, int]) -> list[Tensor]:
        """Head inputs (N, C, H / stride, W / stride) of every level. Levels of one source share the tensor."""
        sources = dict.fromkeys(zip(self.in_features, self.strides))
        resized = {
            (name, stride): resize(features[name], (padded_size[0] // stride, padded_size[1] // stride))
            for name, stride in sources
        }
        return [resized[source] for source in zip(self.in_features, self.strides)]

    def embedding_features(self, features: dict[str, Tensor], inputs: list[Tensor]) -> dict[str, Tensor]:
        """Features for the embedding head: those of the backbone, with ``in_features`` replaced by the inputs of their
        levels (the finest level's where a feature serves several).

        Args:
            features: Features of the backbone.
            inputs: Result of :meth:`level_inputs`.
        """
        return {**features, **dict(zip(reversed(self.in_features), reversed(inputs)))}

    def detector_losses(self, inputs: list[Tensor], targets: SOLOTargets) -> dict[str, Tensor]:
        """Category and mask loss of a batch.

        Args:
            inputs: Result of :meth:`level_inputs`.
            targets: Targets of the batch, on any device.
        """
        num_positives = len(targets.positives)
        return {
            "loss_category": self.category_loss_weight
            * self._category_loss(self.head.category_logits(inputs), targets.categories, num_positives),
            "loss_mask": self.mask_loss_weight * self._mask_loss(inputs, targets) / max(num_positives, 1),
        }

    def _category_loss(self, logits: list[Tensor], categories: list[Tensor], num_positives: int) -> Tensor:
        """Focal loss summed over all cells of all levels, over the number of positive cells + 1."""
        flat = torch.cat([x.permute(0, 2, 3, 1).flatten(0, 2) for x in logits]).float()
        labels = torch.cat([x.flatten() for x in categories]).to(flat.device)
        one_hot = F.one_hot(labels, flat.shape[1] + 1)[:, :-1]  # the last class is the background
        loss = sigmoid_focal_loss(flat, one_hot, self.focal_alpha, self.focal_gamma, reduction="sum")
        return loss / (num_positives + 1)

    def _mask_loss(self, inputs: list[Tensor], targets: SOLOTargets) -> Tensor:
        """Sum of the dice losses of all positive cells."""
        image, level, row, col, _ = targets.positives.unbind(1)
        by_level = [(level == i).nonzero().squeeze(1) for i in range(len(inputs))]
        images = [image[rows].unique().tolist() for rows in by_level]
        total = inputs[0].new_zeros((), dtype=torch.float32)
        for i, features in enumerate(self.head.mask_features(inputs, images)):
            if not features:
                continue
            rows = by_level[i]
            flat = (row[rows] * self.head.num_grids[i] + col[rows]).to(self.device)
            cells = flat.split(image[rows].unique(return_counts=True)[1].tolist())
            probabilities = self.head.mask_logits(i, features, cells).float().sigmoid()
            masks = targets.instance_masks[i].to(self.device)[targets.mask_index[i].to(self.device)]
            total = total + dice_loss(probabilities, masks, self.dice_eps).sum()
        # Every parameter gets a gradient in every step, as DistributedDataParallel expects.
        for parameter in self.head.unused_parameters(images):
            total = total + 0 * parameter.sum()
        return total

    def inference(self, features: dict[str, Tensor], images: ImageList, batched_inputs: list[dict]) -> list[dict]:
        """Detections of a batch, see :meth:`forward`."""
        padded_size = (images.tensor.shape[-2], images.tensor.shape[-1])
        inputs = self.level_inputs(features, padded_size)
        scores = self.category_scores(inputs)
        mask_features = self._candidate_mask_features(inputs, scores)
        mask_size = (2 * inputs[0].shape[-2], 2 * inputs[0].shape[-1])

        results, read = [], []
        for image, maps in enumerate(mask_features):

            def probabilities(flat: Tensor, maps: dict[int, Tensor] = maps) -> Tensor:
                return self.mask_probabilities(maps, flat, mask_size)

            flat, classes, image_scores, low_resolution = self.selector(
                scores[image], self.cell_strides, probabilities, mask_size
            )
            x = batched_inputs[image]
            image_size = tuple(x["image"].shape[-2:])
            output_size = (x.get("height", image_size[0]), x.get("width", image_size[1]))
            pred_masks, boxes = paste_masks(
                probabilities(flat), low_resolution, padded_size, image_size, output_size, self.selector.mask_thresh
            )
            result = Instances(output_size)
            result.pred_boxes = Boxes(boxes)
            result.scores = image_scores
            result.pred_classes = classes
            result.pred_masks = pred_masks
            result.grid_cells = self.grid_cells[flat]
            results.append({"instances": result})
            read.append(Instances(padded_size, pred_masks=low_resolution, grid_cells=result.grid_cells))
        if self.embedding_head is not None:
            features = self.embedding_features(features, inputs)
            for result, embeddings in zip(results, self.embedding_head.embed(features, read, padded_size)):
                result["instances"].embeddings = embeddings
        return results

    def category_scores(self, inputs: list[Tensor]) -> Tensor:
        """(N, sum of S_l^2, K) probabilities of all cells after point NMS, float32."""
        logits = self.head.category_logits(inputs)
        return torch.cat([point_nms(x.float().sigmoid()).flatten(2).transpose(1, 2) for x in logits], dim=1)

    def _candidate_mask_features(self, inputs: list[Tensor], scores: Tensor) -> list[dict[int, Tensor]]:
        """{level: (C, h, w)} of every image, for the levels on which it has candidates."""
        candidate = (scores > self.selector.score_thresh).any(2)  # (N, cells)
        per_level = candidate.split([side * side for side in self.head.num_grids], dim=1)
        has_candidates = torch.stack([level.any(1) for level in per_level]).tolist()
        images = [[image for image, has in enumerate(level) if has] for level in has_candidates]
        maps: list[dict[int, Tensor]] = [{} for _ in range(len(scores))]
        for level, features in enumerate(self.head.mask_features(inputs, images)):
            for image, x in zip(images[level], features):
                maps[image][level] = x
        return maps

    def mask_probabilities(self, features: dict[int, Tensor], cells: Tensor, size: tuple[int, int]) -> Tensor:
        """Mask probabilities of cells of one image.

        Args:
            features: {level: (C, h, w)} for every level of these cells.
            cells: (n,) int64 flat indices over the cells of all levels.
            size: (h, w) of the result; the sigmoid is taken before resizing.

        Returns:
            (n, *size) float32 probabilities.
        """
        level, row, col = self.grid_cells[cells].unbind(1)
        result = torch.empty((len(cells), *size), device=cells.device)
        levels = torch.arange(len(self.head.num_grids), device=cells.device)
        counts = (level == levels[:, None]).sum(1).tolist()
        by_level = level.argsort(stable=True).split(counts)
        for i, x in features.items():
            rows = by_level[i]
            if len(rows):
                flat = row[rows] * self.head.num_grids[i] + col[rows]
                probabilities = self.head.mask_logits(i, [x], [flat]).float().sigmoid()
                result[rows] = resize(probabilities[None], size)[0]
        return result


def _with_strides(
    shapes: dict[str, ShapeSpec], in_features: Sequence[str], strides: Sequence[int]
) -> dict[str, ShapeSpec]:
    """Shapes of :meth:`SOLO.embedding_features`."""
    finest = dict(zip(reversed(in_features), reversed(strides)))
    resized = {name: ShapeSpec(channels=shapes[name].channels, stride=stride) for name, stride in finest.items()}
    return {**shapes, **resized}
