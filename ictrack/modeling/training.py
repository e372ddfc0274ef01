"""A training step of a detector on a batch of labelled images, unlabelled video, or both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from .embedding.video_clips import split_batch
from .embedding.video_embedding import Extract, VideoEmbedding, connected_zero
from .embedding.video_objectives import AssignCells


def training_losses(
    model: nn.Module,
    batch: Sequence[dict[str, Any]],
    image_losses: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
    extract: Extract,
    assign_cells: AssignCells | None = None,
) -> dict[str, Tensor]:
    """The losses of both parts of a batch. Every parameter that trains gets a gradient, whatever the batch holds.

    Args:
        model: a detector with ``embedding_head``.
        batch: flat list of labelled images and samples of unlabelled video.
        image_losses: of labelled images, at least one.
        extract: features of images for the embedding head.
        assign_cells: see :class:`ictrack.modeling.embedding.video_objectives.VideoObjective`.

    Raises:
        ValueError: unlabelled video, but no video head.
    """
    labelled, samples = split_batch(batch)
    head = model.embedding_head
    if samples and not isinstance(head, VideoEmbedding):
        raise ValueError("the batch holds unlabelled video, which needs MODEL.VIDEO_EMBEDDING.ENABLED")
    losses = image_losses(labelled) if labelled else {}
    if isinstance(head, VideoEmbedding):
        losses.update(head.video_losses(samples, extract, assign_cells))
        if not labelled:
            name = head.objective.loss_names[0]
            losses[name] = losses[name] + connected_zero(p for p in model.parameters() if p.requires_grad)
    return losses
