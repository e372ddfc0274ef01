"""Generalized focal loss: the two losses of detectors that predict qualities and distributions of distances.

Reference: Li et al., "Generalized Focal Loss", NeurIPS 2020 (arXiv 2006.04388).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def quality_focal_loss(logits: Tensor, qualities: Tensor, beta: float = 2.0) -> Tensor:
    """Cross-entropy with targets between 0 and 1, weighted by |target - prediction|^beta (Eq. 6).

    Args:
        logits: (...) logits of any shape.
        qualities: (...) targets: 0 for negatives, the IoU of the predicted box for the positive class.
        beta: Exponent.

    Returns:
        (...) losses, not reduced.
    """
    weight = (qualities - logits.sigmoid()).abs() ** beta
    return weight * F.binary_cross_entropy_with_logits(logits, qualities, reduction="none")


def distribution_focal_loss(logits: Tensor, distances: Tensor) -> Tensor:
    """Cross-entropy with the two bins beside the distance, in proportion to its nearness to each (Eq. 7).

    Args:
        logits: (N, R + 1) logits of the bins 0, ..., R.
        distances: (N,) distances in [0, R).

    Returns:
        (N,) losses.
    """
    below = distances.long().clamp(max=logits.shape[1] - 2)
    share = distances - below
    log_probabilities = torch.log_softmax(logits, dim=1)
    picked = log_probabilities.gather(1, torch.stack([below, below + 1], dim=1))
    return -(1 - share) * picked[:, 0] - share * picked[:, 1]
