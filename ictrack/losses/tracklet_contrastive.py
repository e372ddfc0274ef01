"""Contrastive loss over tracklets mined from video without labels: the instance contrastive loss, across time."""

from __future__ import annotations

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
) -> Tensor:
    """InfoNCE (van den Oord et al., 2018) between detections of one tracklet, against those of other instances.

    With s_ij = e_i . e_j / ``temperature``, P_i the detections of i's tracklet at least ``min_gap`` frames away, and
    N_i those that are certainly other instances:

        L = mean over all pairs (i, j in P_i) of -log(exp s_ij / (exp s_ij + sum_{n in N_i} exp s_in))

    Certainly other are the detections of other videos, and those of tracklets of the same video that share a frame with
    i's; two tracklets of a video that never meet may be one object that was lost and found again, and are left out.

    Everything runs in at least float32, also under autocast.

    Args:
        embeddings: (M, D), of all frames and videos of the batch.
        tracklets: (M,) integers, naming a tracklet within its video.
        frames: (M,) integers, the frame within its video.
        videos: (M,) integers.
        temperature: divides the similarities.
        min_gap: smallest distance in frames of a positive pair; large gaps are what augmentation cannot imitate.
        normalize: compare by cosine instead of by raw dot product.

    Returns:
        A scalar, at least 0; a zero that is connected to ``embeddings`` where no pair is far enough apart.
    """
    if embeddings.dim() != 2 or any(x.shape != embeddings.shape[:1] for x in (tracklets, frames, videos)):
        shapes = [tuple(x.shape) for x in (embeddings, tracklets, frames, videos)]
        raise ValueError(f"expected (M, D) embeddings and three times (M,) integers, got {shapes}")
    if min_gap < 1:
        raise ValueError(f"a positive pair is at least 1 frame apart, not {min_gap}")
    with torch.autocast(device_type=embeddings.device.type, enabled=False):
        x = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        if normalize:
            x = F.normalize(x, dim=1)
        similarity = x @ x.T / temperature  # (M, M)

        same_video = videos[:, None] == videos
        instances = torch.unique(torch.stack([videos, tracklets]), dim=1, return_inverse=True)[1]
        same = instances[:, None] == instances
        positive = same & ((frames[:, None] - frames).abs() >= min_gap)
        negative = ~same & (~same_video | _tracklets_meet(instances, same_video & (frames[:, None] == frames)))
        if not positive.any():
            return 0 * similarity.sum()
        lowest = torch.finfo(similarity.dtype).min  # not -inf, whose gradient is NaN for a row without negatives
        others = similarity.masked_fill(~negative, lowest).logsumexp(dim=1)  # (M,)
        anchor, partner = positive.nonzero().unbind(1)
        return F.softplus(others[anchor] - similarity[anchor, partner]).mean()


def _tracklets_meet(instances: Tensor, together: Tensor) -> Tensor:
    """(M, M) bool: the tracklets of two detections share a frame.

    Args:
        instances: (M,) index of each detection's tracklet.
        together: (M, M) bool, two detections are in one frame.
    """
    num_instances = int(instances.max()) + 1 if len(instances) else 0
    meets = torch.zeros((num_instances, num_instances), dtype=torch.bool, device=instances.device)
    first, second = together.nonzero().unbind(1)
    meets[instances[first], instances[second]] = True
    return meets[instances[:, None], instances]
