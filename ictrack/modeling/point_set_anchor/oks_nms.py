"""Object keypoint similarity between poses, and non-maximum suppression with it.

OKS is as in COCO's keypoint evaluation: the mean over joints of exp(-d^2 / (2 (2 sigma)^2 area)).
"""

from __future__ import annotations

import torch
from torch import Tensor


def oks(squared_distances: Tensor, sigmas: Tensor, areas: Tensor) -> Tensor:
    """Similarity of every joint, (..., J), not averaged.

    Args:
        squared_distances: (..., J) in pixels^2.
        sigmas: (J,) of the joints, as a share of the square root of an area.
        areas: (...) in pixels^2; 0 gives similarity 0 but to coinciding joints.
    """
    tiny = torch.finfo(areas.dtype).tiny
    return torch.exp(-squared_distances / (2 * sigmas) ** 2 / areas[..., None].clamp(min=tiny) / 2)


def oks_nms(
    points: Tensor, scores: Tensor, areas: Tensor, sigmas: Tensor, threshold: float, max_detections: int
) -> Tensor:
    """Greedy suppression: the best pose removes all whose OKS with it is above the threshold, then the next best.

    Args:
        points: (N, J, 2) x, y.
        scores: (N,).
        areas: (N,) pixels^2; the area of a pair is the mean of the two.
        sigmas: (J,).
        threshold: of the mean OKS over all joints.
        max_detections: stop when so many are kept.

    Returns:
        Indices of the kept poses by falling score; of equal scores the first comes first.
    """
    remaining = scores.argsort(descending=True, stable=True)
    kept: list[Tensor] = []
    # A device is waited for where poses are taken out: after the first best pose, two more, four more, and so on.
    steps = 1
    while len(remaining) and len(kept) < max_detections:
        poses, pose_areas = points[remaining], areas[remaining]
        alive = torch.ones_like(remaining, dtype=torch.bool)
        for _ in range(min(steps, max_detections - len(kept), len(remaining))):
            best = alive.byte().argmax().view(1)  # the first that is alive; nobody is: -1
            kept.append(torch.where(alive[best], remaining[best], -1))
            squared = (poses - poses[best]).square().sum(-1)
            similarity = oks(squared, sigmas, (pose_areas + pose_areas[best]) / 2).mean(1)
            alive &= similarity <= threshold
            alive.index_fill_(0, best, False)
        remaining = remaining[alive]
        steps *= 2
    if not kept:
        return remaining
    indices = torch.cat(kept)
    return indices[indices >= 0]
