"""Point NMS and matrix NMS (Wang et al., SOLO, ECCV 2020, and SOLOv2, NeurIPS 2020, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def point_nms(scores: Tensor) -> Tensor:
    """Scores (N, K, S, S), with those below their upper, left or upper-left neighbor set to 0.

    Args:
        scores: (N, K, S, S) category probabilities.
    """
    peaks = F.max_pool2d(scores, kernel_size=2, stride=1, padding=1)[:, :, :-1, :-1]
    return scores * (peaks == scores)


def matrix_nms(masks: Tensor, classes: Tensor, scores: Tensor, kernel: str = "gaussian", sigma: float = 2.0) -> Tensor:
    """Decayed scores: a mask loses score by its overlap with better masks of its class.

    With i better than j, both of one class, and c_i the largest IoU of i with a mask better still, the factor of j is
    the minimum over i of f(iou_ij) / f(c_i), where f(x) = exp(-sigma x^2) ("gaussian") or 1 - x ("linear").

    Args:
        masks: (N, H, W) bool.
        classes: (N,) int64.
        scores: (N,) scores in falling order.
        kernel: "gaussian" or "linear".
        sigma: Factor in the Gaussian's exponent; not used by "linear".

    Returns:
        (N,) decayed scores in the order of the input.
    """
    if kernel not in ("gaussian", "linear"):
        raise ValueError(f'MODEL.SOLO.NMS_KERNEL is "{kernel}", must be "gaussian" or "linear"')
    decayed = scores.clone()
    # Classes do not interact, so each is a small block of its own.
    order = classes.argsort(stable=True)
    counts = classes[order].unique_consecutive(return_counts=True)[1]
    for members in order.split(counts.tolist()) if len(classes) else ():
        iou = _mask_iou(masks[members]).triu(diagonal=1)
        compensation = iou.max(dim=0).values[:, None]
        if kernel == "gaussian":
            factors = torch.exp(-sigma * (iou.square() - compensation.square()))
        else:
            # An exact duplicate (c_i = 1) has factor 0 itself; the floor avoids its 0 / 0.
            factors = (1 - iou) / (1 - compensation).clamp(min=1e-6)
        decayed[members] *= factors.min(dim=0).values
    return decayed


def _mask_iou(masks: Tensor) -> Tensor:
    """(N, N) IoU of (N, H, W) bool masks; counts are exact in float32 below 2^24 pixels."""
    with torch.autocast(masks.device.type, enabled=False):
        flat = masks.flatten(1).float()
        intersection = flat @ flat.T
    area = flat.sum(1)
    return intersection / (area[:, None] + area - intersection).clamp(min=1)
