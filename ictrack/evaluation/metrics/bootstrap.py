"""Percentile bootstrap: intervals of scores over random draws of videos.

Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. Videos are drawn, since the
frames and tracks of one video are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Statistic = Callable[[np.ndarray], Mapping[str, float]]
LEVEL = 0.95


def bootstrap_intervals(
    statistic: Statistic, num_units: int, *, num_samples: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (95 %) of each score of a statistic.

    A draw in which a score is NaN (nothing to measure) is left out of that score's interval; if all are, the interval
    is (NaN, NaN).

    Args:
        statistic: Function of integer weights (V,), how often each of V units was drawn, that returns scores. Weights
            of ones give the scores of the data itself.
        num_units: V.
        num_samples: Number of draws.
        seed: Seed of the draws.

    Raises:
        ValueError: there is no unit or no draw, or the draws have different scores.
    """
    return _intervals(_draw(statistic, num_units, num_samples, seed))


def paired_bootstrap(
    statistic_a: Statistic, statistic_b: Statistic, num_units: int, *, num_samples: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Percentile intervals (95 %) of A's scores minus B's, each difference taken on the same draw of units.

    Args:
        statistic_a, statistic_b: Functions for :func:`bootstrap_intervals`, of the same V units in the same order.
            Scores that only one of them has are left out.
        num_units, num_samples, seed: See :func:`bootstrap_intervals`, which raises the same errors.
    """

    def difference(weights: np.ndarray) -> dict[str, float]:
        ours, theirs = statistic_a(weights), statistic_b(weights)
        return {key: value - theirs[key] for key, value in ours.items() if key in theirs}

    return _intervals(_draw(difference, num_units, num_samples, seed))


def _draw(statistic: Statistic, num_units: int, num_samples: int, seed: int) -> dict[str, np.ndarray]:
    """Values (num_samples,) of each score over the draws."""
    if num_units < 1 or num_samples < 1:
        raise ValueError(f"nothing can be drawn: {num_units} units, {num_samples} samples")
    rng = np.random.default_rng(seed)
    samples = [
        dict(statistic(np.bincount(rng.integers(num_units, size=num_units), minlength=num_units)))
        for _ in range(num_samples)
    ]
    for sample in samples:
        if sample.keys() != samples[0].keys():
            raise ValueError(f"a draw has the scores {sorted(sample)}, not those of the first, {sorted(samples[0])}")
    return {key: np.array([sample[key] for sample in samples], dtype=float) for key in samples[0]}


def _intervals(draws: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    intervals = {}
    for key, values in draws.items():
        measured = values[~np.isnan(values)]
        low, high = (float("nan"),) * 2
        if len(measured):
            low, high = np.quantile(measured, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
        intervals[key] = (low, high)
    return intervals
