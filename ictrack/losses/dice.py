"""Dice loss of SOLO (Wang et al., ECCV 2020, Eq. 5-6), after V-Net (Milletari et al., 2016)."""

from __future__ import annotations

from torch import Tensor


def dice_loss(probabilities: Tensor, targets: Tensor, eps: float = 1e-3) -> Tensor:
    """Dice loss of every mask: ``1 - 2 sum(p q) / (sum(p^2) + eps + sum(q^2) + eps)``.

    Args:
        probabilities: (N, ...) foreground probabilities in [0, 1].
        targets: (N, ...) ground truth of the same shape, boolean or in [0, 1].
        eps: Summand of each of the two squared sums, which keeps a pair of empty masks finite.

    Returns:
        (N,) float32, not reduced. Computed in float32 whatever the inputs' type, because the sums run over whole masks.
    """
    if probabilities.shape != targets.shape:
        raise ValueError(f"dice_loss: {tuple(probabilities.shape)} probabilities, {tuple(targets.shape)} targets")
    p = probabilities.flatten(1).float()
    q = targets.flatten(1).float()
    intersection = (p * q).sum(1)
    return 1 - 2 * intersection / ((p * p).sum(1) + eps + (q * q).sum(1) + eps)
