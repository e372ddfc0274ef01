"""Embeddings of one image's detections in an exported model, by tensors alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ictrack.modeling.embedding import EmbeddingHead, InstanceEmbeddingHead, PooledFeatures, VideoEmbedding
from ictrack.modeling.embedding.readout import box_masks, cell_readout
from ictrack.modeling.embedding.video_embedding import fuse_embeddings
from ictrack.modeling.tracing import area_average


class ExportError(ValueError):
    """A model that cannot be exported; the message says what of it, and what can be."""


@dataclass(frozen=True)
class Located:
    """Places at which heads read the N detections of an image; those that its detector does not know are None.

    Attributes:
        cells: (N, 3) int64 level, row, column.
        masks: (N, h, w) bool masks of the padded input.
        boxes: (N, 4) XYXY as shares of the padded input's sides, read where there are no masks.
        poses: (N, J, 3) x, y in pixels of the padded input, score.
    """

    cells: Tensor | None = None
    masks: Tensor | None = None
    boxes: Tensor | None = None
    poses: Tensor | None = None


def embed(head: Any, features: dict[str, Tensor], located: Located) -> Tensor:
    """(N, D) or (N, P, D) embeddings, as :meth:`EmbeddingHead.embed` gives them for one image.

    Raises:
        ExportError: the head is of another kind, or reads what the detector does not have.
    """
    if isinstance(head, VideoEmbedding):
        return _fused(head, features, located)
    if isinstance(head, InstanceEmbeddingHead):
        if head.reads == "cells" and located.cells is not None:
            cells = F.pad(located.cells, (1, 0))  # of the only image
            return cell_readout(head(features), cells, head.detector_grids).float()
        masks = _masks(head, features, located)
        if head.reads == "masks" and masks is not None:
            if head.is_linear:
                return head.embed_pooled([_mean_inside(features[x], masks) for x in head.in_features])
            return torch.stack([_mean_inside(x, masks) for x in head(features)]).mean(dim=0)
    if isinstance(head, PooledFeatures) and (masks := _masks(head, features, located)) is not None:
        return torch.cat([_mean_inside(features[x], masks) for x in head.in_features], dim=1)
    if head.reads == "keypoints" and located.poses is not None:
        return head.embed_poses(head(features), [located.poses])
    raise ExportError(
        f"an embedding head {type(head).__name__} that reads {head.reads} cannot be exported with this detector; "
        "InstanceEmbeddingHead and PooledFeatures can be with SOLO and with boxes, KeypointEmbeddingModule with "
        "PointSetAnchor"
    )


def dense_maps(head: EmbeddingHead, features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Maps of a head by name, one a level, from which embeddings are read; of two heads those of both. Those of
    :class:`PooledFeatures` are the features, whose means are concatenated."""
    if isinstance(head, VideoEmbedding):
        both = {"image": head.image_head, "video": head.video_head}
        return {f"{kind}_{name}": x for kind, one in both.items() for name, x in dense_maps(one, features).items()}
    maps = [features[x] for x in head.in_features] if isinstance(head, PooledFeatures) else head(features)
    return {"embedding": maps} if isinstance(maps, Tensor) else {f"embedding_{i}": x for i, x in enumerate(maps)}


def _fused(head: VideoEmbedding, features: dict[str, Tensor], located: Located) -> Tensor:
    """See :meth:`VideoEmbedding.embed`."""
    weight = head.fusion_weight
    if head.has_tags and not math.isinf(weight):
        tags = embed(head.image_head, features, located)
        if weight == 0:
            return tags
        return torch.cat([tags[..., :1], F.normalize(embed(head.video_head, features, located), dim=-1)], dim=-1)
    if weight == 0 or math.isinf(weight):
        return F.normalize(embed(head.video_head if weight else head.image_head, features, located), dim=-1)
    image, video = (embed(x, features, located) for x in (head.image_head, head.video_head))
    return fuse_embeddings(image, video, weight)


def _masks(head: EmbeddingHead, features: dict[str, Tensor], located: Located) -> Tensor | None:
    """Masks that a head reads, of which those of boxes are soft, at the size of its first feature."""
    if located.masks is not None or located.boxes is None:
        return located.masks
    return box_masks(located.boxes, (1, 1), features[head.in_features[0]].shape[-2:])


def _mean_inside(feature: Tensor, masks: Tensor) -> Tensor:
    """(N, C) float32 mean of a map (1, C, H, W) inside bool or soft masks (N, h, w), by the covered share of cells."""
    shares = area_average(masks.float()[:, None], feature.shape[-2:])
    shares = F.normalize(shares.flatten(1), p=1, dim=1)
    return shares @ feature[0].flatten(1).float().T
