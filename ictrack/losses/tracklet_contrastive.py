"""Contrastive loss over tracklets mined from video without labels: the instance contrastive loss, across time."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def tracklet_contrastive_loss(
    embeddings: Tensor,
    tracklets: Tensor,
    frames: Tensor,
    videos: Tensor,
    *,
    temperature: float,
    min_gap: int = 1,
    normalize: bool = True,
    doubt: float = 0.0,
) -> Tensor:
    """InfoNCE (van den Oord et al., 2018) between detections of one tracklet, against those of other instances.

    With s_ij = e_i . e_j / ``temperature``, P_i the detections of i's tracklet at least ``min_gap`` frames away, and
    N_i the detections that are certainly other instances:

        L = mean over all pairs (i, j in P_i) of -log(exp s_ij / (exp s_ij + sum_{n in N_i} exp s_in))

    Certain negatives are the detections in other videos, and in tracklets of the same video that share a frame with
    i's. Two tracklets of a video that never meet may be one object that was lost and found again; they are left out, or
    weigh ``doubt`` in the sum.

    Everything runs in at least float32, also under autocast.

    Args:
        embeddings: (M, D) embeddings of the detections in all frames and videos of the batch.
        tracklets: (M,) integer id of each detection's tracklet, unique in its video.
        frames: (M,) integer index of each detection's frame in its video.
        videos: (M,) integer id of each detection's video.
        temperature: Divisor of the similarities.
        min_gap: Smallest distance in frames of a positive pair; augmentation cannot imitate large gaps.
        normalize: Whether to compare by cosine instead of by raw dot product.
        doubt: Weight, from 0 to 1, of a detection in a tracklet that never meets i's. With 0, nothing keeps objects
            apart that are never seen together.

    Returns:
        Scalar, at least 0; a zero that is connected to ``embeddings`` if no pair is far enough apart.

    Raises:
        ValueError: the shapes do not fit together, or ``min_gap`` is below 1.
    """
    if embeddings.dim() != 2 or any(x.shape != embeddings.shape[:1] for x in (tracklets, frames, videos)):
        shapes = [tuple(x.shape) for x in (embeddings, tracklets, frames, videos)]
        raise ValueError(f"expected (M, D) embeddings and three times (M,) integers, got {shapes}")
    if min_gap < 1:
        raise ValueError(f"a positive pair must be at least 1 frame apart, not {min_gap}")
    with torch.autocast(device_type=embeddings.device.type, enabled=False):
        x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        if normalize:
            x = F.normalize(x, dim=1)
        similarity = x @ x.T / temperature  # (M, M)

        same_video = videos[:, None] == videos
        instances = torch.unique(torch.stack([videos, tracklets]), dim=1, return_inverse=True)[1]
        same = instances[:, None] == instances
        positive = same & ((frames[:, None] - frames).abs() >= min_gap)
        certain = ~same_video | _tracklets_meet(instances, same_video & (frames[:, None] == frames))
        if not positive.any():
            return 0 * similarity.sum()
        lowest = torch.finfo(similarity.dtype).min  # not -inf, whose gradient is NaN for a row without negatives
        uncertain = similarity + math.log(doubt) if doubt else torch.full_like(similarity, lowest)
        others = torch.where(certain, similarity, uncertain).masked_fill(same, lowest).logsumexp(dim=1)  # (M,)
        anchor, partner = positive.nonzero().unbind(1)
        return F.softplus(others[anchor] - similarity[anchor, partner]).mean()


def _tracklets_meet(instances: Tensor, together: Tensor) -> Tensor:
    """Mask (M, M) of the pairs of detections whose tracklets share a frame.

    Args:
        instances: (M,) index of each detection's tracklet.
        together: (M, M) mask of the pairs in one frame.
    """
    num_instances = int(instances.max()) + 1 if len(instances) else 0
    meets = torch.zeros((num_instances, num_instances), dtype=torch.bool, device=instances.device)
    first, second = together.nonzero().unbind(1)
    meets[instances[first], instances[second]] = True
    return meets[instances[:, None], instances]
