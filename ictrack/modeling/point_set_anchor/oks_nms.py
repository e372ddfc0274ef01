"""Object keypoint similarity (OKS) of poses, and non-maximum suppression by it.

OKS is as in COCO's keypoint evaluation: the mean over joints of exp(-d^2 / (2 (2 sigma)^2 area)).
"""

from __future__ import annotations

import torch
from torch import Tensor

# Number of poses that are compared first, in multiples of the largest number kept.
_FIRST_BLOCK = 4


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
    order = scores.argsort(descending=True, stable=True)
    kept = order[:0]
    # Where the best are enough, the others are not even compared.
    for block in order.tensor_split([_FIRST_BLOCK * max_detections]):
        if len(kept) == max_detections:
            break
        block = _unlike(kept, block, points, areas, sigmas, threshold)
        kept = torch.cat([kept, _greedy(block, points, areas, sigmas, threshold, max_detections - len(kept))])
    return kept


def _unlike(kept: Tensor, indices: Tensor, points: Tensor, areas: Tensor, sigmas: Tensor, threshold: float) -> Tensor:
    """Those of ``indices`` that no pose of ``kept`` suppresses; for the rest see :func:`oks_nms`."""
    if not len(kept) or not len(indices):
        return indices
    poses, pose_areas = _by_coordinate(points[indices]), areas[indices]
    alive = torch.ones_like(indices, dtype=torch.bool)
    for pose, area in zip(_by_coordinate(points[kept]).split(1, dim=1), areas[kept].split(1)):
        alive &= _similarity(poses, pose_areas, pose, area, sigmas) <= threshold
    return indices[alive]


def _greedy(
    remaining: Tensor, points: Tensor, areas: Tensor, sigmas: Tensor, threshold: float, max_detections: int
) -> Tensor:
    """Those of ``remaining``, ordered by falling score, that are kept; for the rest see :func:`oks_nms`."""
    kept: list[Tensor] = []
    # Removing poses synchronizes with the device, so it is done after 1, 2, 4, ... kept poses.
    steps = 1
    while len(remaining) and len(kept) < max_detections:
        poses, pose_areas = _by_coordinate(points[remaining]), areas[remaining]
        alive = torch.ones_like(remaining, dtype=torch.bool)
        for _ in range(min(steps, max_detections - len(kept), len(remaining))):
            best = alive.byte().argmax().view(1)  # the first one alive; -1 is kept if there is none
            kept.append(torch.where(alive[best], remaining[best], -1))
            alive &= _similarity(poses, pose_areas, poses[:, best], pose_areas[best], sigmas) <= threshold
            alive.index_fill_(0, best, False)
        remaining = remaining[alive]
        steps *= 2
    if not kept:
        return remaining
    indices = torch.cat(kept)
    return indices[indices >= 0]


def _by_coordinate(points: Tensor) -> Tensor:
    """(2, N, J) of (N, J, 2), in which x and y are added faster."""
    return points.permute(2, 0, 1).contiguous()


def _similarity(poses: Tensor, areas: Tensor, pose: Tensor, area: Tensor, sigmas: Tensor) -> Tensor:
    """(N,) OKS, the mean over joints, of poses (2, N, J) and areas (N,) with one pose (2, 1, J) and its area (1,)."""
    dx, dy = poses - pose
    return oks(dx * dx + dy * dy, sigmas, (areas + area) / 2).mean(1)
