"""Interval of a share (Wilson, "Probable inference, the law of succession, and statistical inference", 1927)."""

from __future__ import annotations

import math

_Z = 1.96  # of a 95 % interval


def wilson_interval(share: float, trials: int) -> tuple[float, float]:
    """95 % interval of a probability, of which ``share`` was seen in a number of independent trials, at least 1."""
    middle = share + _Z**2 / (2 * trials)
    half = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    low, high = ((middle + sign * half) / (1 + _Z**2 / trials) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)
