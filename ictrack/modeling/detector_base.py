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
    """A detector whose detections have an embedding each.

    A training batch is a flat list of labeled images and samples of unlabeled video. The former go through
    :meth:`image_losses`, the latter to the video head, which asks the detector for features and cells.

    Attributes:
        backbone: gives the features.
        embedding_head: None is a detector without embeddings.
        trainable: False: all but the embedding head is frozen.
    """

    backbone: Any
    embedding_head: EmbeddingHead | None

    def freeze_parts(self, frozen: Sequence[str], *heads: nn.Module) -> None:
        """Freeze "backbone", or with "detector" in ``frozen`` the backbone and the detector's ``heads``.

        Raises:
            ValueError: nothing would be left to train.
        """
        self.trainable = "detector" not in frozen
        if not self.trainable and self.embedding_head is None:
            raise ValueError("MODEL.FREEZE with detector leaves nothing to train without MODEL.EMBEDDING.NAME")
        if not self.trainable or "backbone" in frozen:
            self.freeze(self.backbone)
        if not self.trainable:
            self.freeze(*heads)

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the images' tensors."""

    @abstractmethod
    def image_losses(self, batched_inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        """Losses of labeled images, at least one: the detector's, unless frozen, and the embedding head's."""

    @abstractmethod
    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of images (C, h, w) for the embedding head, and (H, W) of the padded input."""

    def assign_cells(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> list[Instances]:
        """Positive cells of ground truth, one row each, with grid_cells and gt_index.

        Raises:
            ValueError: the detector has no grid.
        """
        raise ValueError("MODEL.EMBEDDING.READOUT cell needs a detector with a grid (SOLO)")

    def labeled_places(
        self,
        head: EmbeddingHead,
        instances: Sequence[Instances],
        padded_size: tuple[int, int],
        cells: list[Instances] | None = None,
    ) -> list[Instances]:
        """Ground truth as the losses of an embedding head take it.

        Args:
            head: that reads them.
            instances: of each image, with what ``head.reads`` names, or for cells gt_masks, gt_boxes and gt_classes;
                gt_ids where one object is in several images.
            padded_size: (H, W) of the network's input with padding.
            cells: :meth:`assign_cells` of the instances, where it was called before.

        Returns:
            Instances on the padded input, on the model's device, with gt_ids and gt_index.
        """
        ids = instance_ids(instances)
        if head.reads == "cells":
            places = self.assign_cells(instances, padded_size) if cells is None else cells
        else:
            places = [pad_instances(x, padded_size).to(self.device) for x in instances]
            for x in places:
                x.gt_index = torch.arange(len(x), device=self.device)
        for x, of_image in zip(places, ids):
            x.gt_ids = of_image.to(self.device)[x.gt_index]
        return places

    def training_losses(self, batch: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Losses of both parts of a batch. Every parameter that trains gets a gradient, whatever the batch holds.

        Args:
            batch: flat list of labeled images and samples of unlabeled video.

        Raises:
            ValueError: unlabeled video, but no video head.
        """
        labeled, samples = split_batch(batch)
        head = self.embedding_head
        if samples and not isinstance(head, VideoEmbedding):
            raise ValueError("the batch holds unlabelled video, which needs MODEL.VIDEO_EMBEDDING.ENABLED")
        losses = self.image_losses(labeled) if labeled else {}
        if isinstance(head, VideoEmbedding):
            losses.update(head.video_losses(samples, self))
            if not labeled:
                name = head.objective.loss_names[0]
                losses[name] = losses[name] + connected_zero(p for p in self.parameters() if p.requires_grad)
        return losses
