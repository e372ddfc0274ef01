"""Object keypoint similarity (OKS) of poses, and non-maximum suppression by it.

OKS is as in COCO's keypoint evaluation: the mean over joints of exp(-d^2 / (2 (2 sigma)^2 area)).
"""

from __future__ import annotations

import torch
from torch import Tensor


def oks(squared_distances: Tensor, sigmas: Tensor, areas: Tensor) -> Tensor:
    """(..., J) similarity of each joint.

    Args:
        squared_distances: (..., J) in pixels^2.
        sigmas: (J,) standard deviations of the joints, as a share of the square root of the area.
        areas: (...) in pixels^2; 0 gives similarity 0 except for coinciding joints.
    """
    tiny = torch.finfo(areas.dtype).tiny
    return torch.exp(-squared_distances / (2 * sigmas) ** 2 / areas[..., None].clamp(min=tiny) / 2)


def oks_nms(
    points: Tensor, scores: Tensor, areas: Tensor, sigmas: Tensor, threshold: float, max_detections: int
) -> Tensor:
    """Indices of the poses kept by greedy suppression, by falling score (ties in order of the input).

    Args:
        points: (N, J, 2) x, y.
        scores: (N,).
        areas: (N,) in pixels^2; the area of a pair is the mean of the two.
        sigmas: (J,), see :func:`oks`.
        threshold: OKS (mean over all joints) with a better kept pose above which a pose is suppressed.
        max_detections: Largest number of poses kept.
    """
    remaining = scores.argsort(descending=True, stable=True)
    kept: list[Tensor] = []
    # Removing poses synchronizes with the device, so it is done after 1, 2, 4, ... kept poses.
    steps = 1
    while len(remaining) and len(kept) < max_detections:
        poses, pose_areas = points[remaining], areas[remaining]
        alive = torch.ones_like(remaining, dtype=torch.bool)
        for _ in range(min(steps, max_detections - len(kept), len(remaining))):
            best = alive.byte().argmax().view(1)  # the first one alive; -1 is kept if there is none
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
