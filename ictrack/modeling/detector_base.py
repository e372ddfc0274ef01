"""Base class of the detectors that carry an embedding head."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor, nn

from .embedding import EmbeddingHead, VideoEmbedding, instance_ids, pad_instances
from .embedding.video_clips import split_batch
from .embedding.video_embedding import connected_zero
from .freezing import PartlyFrozen


class TrackableDetector(PartlyFrozen):
    """Detector whose detections have an embedding each.

    A training batch is a flat list of labeled images and samples of unlabeled video. Images go through
    :meth:`image_losses`, video through the video head, which asks the detector for features and cells.

    Attributes:
        backbone: Backbone of the detector.
        embedding_head: Embedding head; None for a detector without embeddings.
        trainable: Whether more than the embedding head is trained.
    """

    backbone: Any
    embedding_head: EmbeddingHead | None

    def freeze_parts(self, frozen: Sequence[str], *heads: nn.Module) -> None:
        """Freeze "backbone" (all of :meth:`backbones`), or with "detector" in ``frozen`` those and the detector's
        ``heads``.

        Raises:
            ValueError: If nothing is left to train.
        """
        self.trainable = "detector" not in frozen
        if not self.trainable and self.embedding_head is None:
            raise ValueError('MODEL.FREEZE ["detector"] leaves nothing to train without MODEL.EMBEDDING.NAME')
        if not self.trainable or "backbone" in frozen:
            self.freeze(*self.backbones())
        if not self.trainable:
            self.freeze(*heads)

    def backbones(self) -> list[nn.Module]:
        """All backbones: that of the embedding head, and the detector's where it is another."""
        return [self.backbone]

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the images' tensors."""

    @abstractmethod
    def image_losses(self, batched_inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Losses of at least one labeled image: the detector's, unless frozen, and the embedding head's."""

    @abstractmethod
    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of images (C, h, w) for the embedding head, and (H, W) of the padded input."""

    def assign_cells(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> list[Instances]:
        """Positive cells of ground truth, as one Instances an image with grid_cells and gt_index of each cell.

        Raises:
            ValueError: If the detector has no grid.
        """
        raise ValueError('MODEL.EMBEDDING.READOUT "cell" needs a detector with a grid (SOLO); set it to "mask"')

    def locate_ground_truth(
        self,
        head: EmbeddingHead,
        instances: Sequence[Instances],
        padded_size: tuple[int, int],
        cells: list[Instances] | None = None,
    ) -> list[Instances]:
        """Ground truth as the losses of an embedding head take it.

        Args:
            head: Embedding head.
            instances: Instances of each image, with the fields that ``head.reads`` names (for cells: gt_masks, gt_boxes
                and gt_classes), and gt_ids where one object is in several images.
            padded_size: (H, W) of the network's input with padding.
            cells: Result of :meth:`assign_cells` for the instances, to reuse it.

        Returns:
            Instances on the padded input, on the model's device, with gt_ids and gt_index.
        """
        ids = instance_ids(instances)
        if head.reads == "cells":
            located = self.assign_cells(instances, padded_size) if cells is None else cells
        else:
            located = [pad_instances(x, padded_size).to(self.device) for x in instances]
            for x in located:
                x.gt_index = torch.arange(len(x), device=self.device)
        for x, of_image in zip(located, ids):
            x.gt_ids = of_image.to(self.device)[x.gt_index]
        return located

    def training_losses(self, batch: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Losses of a batch. Every trainable parameter gets a gradient, whatever the batch holds.

        Args:
            batch: Labeled images and samples of unlabeled video.

        Raises:
            ValueError: If there is unlabeled video, but no video head.
        """
        labeled, samples = split_batch(batch)
        head = self.embedding_head
        if samples and not isinstance(head, VideoEmbedding):
            raise ValueError("the batch holds unlabeled video: set MODEL.VIDEO_EMBEDDING.ENABLED to True")
        losses = self.image_losses(labeled) if labeled else {}
        if isinstance(head, VideoEmbedding):
            losses.update(head.video_losses(samples, self))
            if not labeled:
                name = head.objective.loss_names[0]
                losses[name] = losses[name] + connected_zero(p for p in self.parameters() if p.requires_grad)
        return losses
