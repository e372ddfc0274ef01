"""Losses of SOLO's family (Wang et al., ECCV 2020, section 3.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from detectron2.utils import comm
from fvcore.nn import sigmoid_focal_loss
from torch import Tensor
from torch.nn import functional as F

from ictrack.losses.dice import dice_loss
from ictrack.modeling.embedding.video_embedding import connected_zero
from ictrack.modeling.processes import shared_count

from .head import SOLOHead
from .outputs import SOLOOutputs
from .targets import SOLOTargets

MASK_NORMALIZERS = ("pairs", "cells")


@dataclass(frozen=True)
class SOLOLosses:
    """Category and mask loss; the fields are those of ``cfg.MODEL.SOLO``.

    Attributes:
        focal_alpha, focal_gamma: Parameters of the category loss.
        dice_eps: Constant of the mask loss.
        category_weight, mask_weight: Weights of the two losses.
        mask_normalizer: What the sum of the mask losses is divided by, the number of its pairs of instance and cell
            ("pairs") or of positive cells ("cells").
    """

    focal_alpha: float
    focal_gamma: float
    dice_eps: float
    category_weight: float
    mask_weight: float
    mask_normalizer: str

    def __post_init__(self) -> None:
        if self.mask_normalizer not in MASK_NORMALIZERS:
            raise ValueError(
                f"MODEL.SOLO.MASK_LOSS_NORMALIZER is {self.mask_normalizer!r}, expected one of {MASK_NORMALIZERS}"
            )

    def __call__(self, head: SOLOHead, outputs: SOLOOutputs, targets: SOLOTargets) -> dict[str, Tensor]:
        """loss_category and loss_mask of a batch. Every parameter of the head gets a gradient."""
        num_positives = len(targets.positives)
        count = {"pairs": len(targets.mask_cells), "cells": num_positives}[self.mask_normalizer]
        one_more = shared_count(num_positives + 1 / comm.get_world_size())  # than the positives of all processes
        category_loss = self._category_loss(outputs.category_logits, targets.categories) / one_more
        mask_loss = self._mask_loss(head, outputs, targets) / shared_count(count)
        return {"loss_category": self.category_weight * category_loss, "loss_mask": self.mask_weight * mask_loss}

    def _category_loss(self, logits: list[Tensor], categories: list[Tensor]) -> Tensor:
        """Focal loss summed over all cells of all levels."""
        flat = torch.cat([x.permute(0, 2, 3, 1).flatten(0, 2) for x in logits]).float()
        labels = torch.cat([x.flatten() for x in categories]).to(flat.device)
        one_hot = F.one_hot(labels, flat.shape[1] + 1)[:, :-1]  # the last class is the background
        return sigmoid_focal_loss(flat, one_hot, self.focal_alpha, self.focal_gamma, reduction="sum")

    def _mask_loss(self, head: SOLOHead, outputs: SOLOOutputs, targets: SOLOTargets) -> Tensor:
        """Sum of the dice losses of all mask cells."""
        device = outputs.inputs[0].device
        image, level, row, col, _ = targets.mask_cells.unbind(1)
        by_level = [(level == i).nonzero().squeeze(1) for i in range(len(outputs.inputs))]
        images = [image[rows].unique().tolist() for rows in by_level]
        total = outputs.inputs[0].new_zeros((), dtype=torch.float32)
        for i, maps in enumerate(head.mask_maps(outputs.features, outputs.inputs, images)):
            if not maps:
                continue
            rows = by_level[i]
            flat = (row[rows] * head.num_grids[i] + col[rows]).to(device)
            cells = flat.split(image[rows].unique(return_counts=True)[1].tolist())
            masks = targets.instance_masks[i].to(device)[targets.mask_index[i].to(device)]
            total = total + dice_loss(head.mask_probabilities(i, maps, list(cells)), masks, self.dice_eps).sum()
        if not all(images):  # a level without masks: its parameters get gradients, as DistributedDataParallel expects
            total = total + connected_zero(head.parameters())
        return total
