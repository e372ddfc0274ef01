"""SOLO's family as a Detectron2 meta-architecture, optionally with an embedding head."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import Boxes, ImageList, Instances
from torch import Tensor

from ictrack.modeling.backbone.affine_norm import train_norms
from ictrack.modeling.detector_base import TrackableDetector
from ictrack.modeling.embedding import EmbeddingHead, build_embedding_head
from ictrack.modeling.freezing import frozen_parts
from ictrack.structures.stage_clock import stage_within

from .build import head_from_config, selector_from_config, training_from_config
from .grid import grid_cells
from .ground_truth_masks import bit_masks
from .head import SOLOHead
from .inference import SOLOSelector
from .level_inputs import LevelInputs
from .losses import SOLOLosses
from .outputs import SOLOOutputs, masks_of_cells
from .paste import paste_masks
from .targets import SOLOTargetAssigner, SOLOTargets


@META_ARCH_REGISTRY.register()
class SOLO(TrackableDetector):
    """Wang et al., "SOLO: Segmenting Objects by Locations", ECCV 2020, and its successors Decoupled SOLO and SOLOv2
    (NeurIPS 2020), which differ in the mask branch of the head.

    Every cell of a grid predicts the category of the instance whose mass center it holds, and that instance's mask over
    the whole image. Detections keep their cell, at which ``embedding_head`` reads their embedding (Fu et al., CVPR
    2021).

    Images go in as dicts (:meth:`forward`), or, without preprocessing, as a tensor: :meth:`forward_features`, and from
    its result :meth:`losses_from` or :meth:`inference_from`.

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
        level_inputs: LevelInputs,
        target_assigner: SOLOTargetAssigner,
        losses: SOLOLosses,
        selector: SOLOSelector,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        frozen: Sequence[str] = (),
        embedding_head: EmbeddingHead | None = None,
    ):
        """
        Args:
            backbone: Backbone.
            head: Category and mask branches.
            level_inputs: Inputs of the head's levels, from the backbone's features.
            target_assigner: Assigner of training targets.
            losses: Losses of the head.
            selector: Selector of detections at test time.
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            frozen: Parts that are not trained, see :meth:`TrackableDetector.freeze_parts`.
            embedding_head: Head on the features that ``level_inputs`` makes for it; None: no embeddings.
        """
        super().__init__()
        num_levels, strides = len(head.num_grids), list(level_inputs.strides)
        if not len(level_inputs.in_features) == len(strides) == len(target_assigner.scale_ranges) == num_levels:
            raise ValueError(
                f"SOLO needs one entry a level: {len(level_inputs.in_features)} IN_FEATURES, {len(strides)} STRIDES, "
                f"{num_levels} NUM_GRIDS, {len(target_assigner.scale_ranges)} SCALE_RANGES"
            )
        self.backbone = backbone
        self.head = head
        self.level_inputs = level_inputs
        self.target_assigner = target_assigner
        self.losses = losses
        self.selector = selector
        self.embedding_head = embedding_head
        self.size_divisibility = math.lcm(backbone.size_divisibility or 1, *strides)

        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        cells = grid_cells(head.num_grids)
        self.register_buffer("grid_cells", cells, False)
        self.register_buffer("cell_strides", torch.tensor(strides)[cells[:, 0]], False)

        self.freeze_parts(frozen, self.head)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        solo = cfg.MODEL.SOLO
        backbone = build_backbone(cfg)
        if solo.TRAIN_BACKBONE_NORM:
            train_norms(backbone)
        shapes = backbone.output_shape()
        head = head_from_config(cfg, shapes)
        level_inputs = LevelInputs(list(solo.IN_FEATURES), list(solo.STRIDES))
        return {
            "backbone": backbone,
            "head": head,
            "level_inputs": level_inputs,
            **training_from_config(cfg, head),
            "selector": selector_from_config(cfg),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "frozen": frozen_parts(cfg),
            "embedding_head": build_embedding_head(cfg, level_inputs.embedding_shapes(shapes), solo.IN_FEATURES),
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
        output_sizes = [
            (x.get("height", size[0]), x.get("width", size[1])) for x, size in zip(batched_inputs, images.image_sizes)
        ]
        detections = self.inference_from(self.forward_features(images.tensor), images.image_sizes, output_sizes)
        return [{"instances": x} for x in detections]

    def image_losses(self, batched_inputs: list[dict]) -> dict[str, Tensor]:
        if any("instances" not in x for x in batched_inputs):
            raise ValueError("SOLO trains on images with instances; an image of the batch has none (nor an empty set)")
        images = self.preprocess_image(batched_inputs).tensor
        padded_size = (images.shape[-2], images.shape[-1])
        instances = [x["instances"] for x in batched_inputs]
        features, inputs = self._features(images)
        targets = self.assign_targets(instances, padded_size)
        losses = {}
        if self.trainable:
            outputs = SOLOOutputs(padded_size, features, inputs, self.head.category_logits(inputs))
            losses = self.losses(self.head, outputs, targets)
        if self.embedding_head is not None:
            cells = targets.cell_instances(padded_size, self.device)
            located = self.locate_ground_truth(self.embedding_head, instances, padded_size, cells)
            losses.update(
                self.embedding_head.losses(self.level_inputs.embedding_features(features, inputs), located, padded_size)
            )
        return losses

    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of images (C, h, w) for the embedding head, and (H, W) of the padded input."""
        batch = self.preprocess_image([{"image": image} for image in images]).tensor
        return self.level_inputs.embedding_features(*self._features(batch)), (batch.shape[-2], batch.shape[-1])

    def forward_features(self, images: Tensor) -> SOLOOutputs:
        """Outputs of the network, of which masks are made later, only for the cells that need one.

        Args:
            images: (N, C, H, W) normalized, and padded with zeros at the bottom and on the right.

        Raises:
            ValueError: If H or W is not a multiple of ``size_divisibility``.
        """
        if images.shape[-2] % self.size_divisibility or images.shape[-1] % self.size_divisibility:
            raise ValueError(f"images are {tuple(images.shape)}, sides must be multiples of {self.size_divisibility}")
        features, inputs = self._features(images)
        padded_size = (images.shape[-2], images.shape[-1])
        return SOLOOutputs(padded_size, features, inputs, self.head.category_logits(inputs))

    def losses_from(self, outputs: SOLOOutputs, targets: Sequence[Instances]) -> dict[str, Tensor]:
        """Losses of the detector: loss_category and loss_mask.

        Args:
            outputs: Result of :meth:`forward_features`.
            targets: Instances of each image on the image without padding, as in :meth:`forward`.
        """
        return self.losses(self.head, outputs, self.assign_targets(targets, outputs.padded_size))

    def inference_from(
        self,
        outputs: SOLOOutputs,
        image_sizes: Sequence[tuple[int, int]],
        output_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Instances]:
        """Detections of each image, see :meth:`forward`.

        Args:
            outputs: Result of :meth:`forward_features`.
            image_sizes: (height, width) of each image without padding.
            output_sizes: (height, width) to which masks are resized; by default the image's.
        """
        padded_size = outputs.padded_size
        mask_size = (padded_size[0] // self.head.mask_strides[0], padded_size[1] // self.head.mask_strides[0])
        scores = outputs.category_scores()
        candidates = (scores > self.selector.score_thresh).any(2)
        results, read = [], []
        for masks, of_image, image_size, output_size in zip(
            masks_of_cells(self.head, self.grid_cells, outputs, candidates, mask_size),
            scores,
            image_sizes,
            image_sizes if output_sizes is None else output_sizes,
        ):
            cells, classes, kept_scores, low_resolution = self.selector(of_image, self.cell_strides, masks, mask_size)
            pred_masks, boxes = paste_masks(
                masks(cells), padded_size, image_size, output_size, self.selector.mask_thresh
            )
            result = Instances(tuple(output_size))
            result.pred_boxes = Boxes(boxes)
            result.scores = kept_scores
            result.pred_classes = classes
            result.pred_masks = pred_masks
            result.grid_cells = self.grid_cells[cells]
            results.append(result)
            read.append(Instances(padded_size, pred_masks=low_resolution, grid_cells=result.grid_cells))
        if self.embedding_head is not None:
            features = self.level_inputs.embedding_features(outputs.features, outputs.inputs)
            with stage_within("embed"):
                found = self.embedding_head.embed(features, read, padded_size)
            for result, embeddings in zip(results, found):
                result.embeddings = embeddings
        return results

    def _features(self, images: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Features of the backbone and inputs of the levels, of images (N, C, H, W)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trainable):
            features = self.backbone(images)
            return features, self.level_inputs(features, (images.shape[-2], images.shape[-1]))

    def assign_targets(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> SOLOTargets:
        """Targets of a batch from gt_boxes, gt_classes and gt_masks of each image."""
        boxes, classes = [x.gt_boxes.tensor for x in instances], [x.gt_classes for x in instances]
        return self.target_assigner(boxes, classes, [bit_masks(x) for x in instances], padded_size)

    def assign_cells(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> list[Instances]:
        """Positive cells of instances with gt_masks, gt_boxes and gt_classes; see :class:`TrackableDetector`."""
        instances = [x.to("cpu") for x in instances]
        return self.assign_targets(instances, padded_size).cell_instances(padded_size, self.device)

    def preprocess_image(self, batched_inputs: list[dict]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        images = [(x["image"].to(self.device) - self.pixel_mean) / self.pixel_std for x in batched_inputs]
        return ImageList.from_tensors(images, self.size_divisibility)
