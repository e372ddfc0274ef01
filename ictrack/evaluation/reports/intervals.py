"""Bootstrap intervals of a report."""

from __future__ import annotations

from typing import Any

from ..metrics.bootstrap import LEVEL, Statistic, bootstrap_intervals


def report_intervals(statistic: Statistic, num_units: int, unit: str, num_samples: int, seed: int) -> dict[str, Any]:
    """Intervals of a report's scores.

    Args:
        statistic: Function for :func:`bootstrap_intervals`; its keys are "part.score".
        num_units: Number of units.
        unit: Name of a unit.
        num_samples: Number of draws; 0: no intervals.
        seed: Seed of the draws.

    Returns:
        "intervals" with [low, high] by key, and "bootstrap" with their parameters if there are any.
    """
    if not num_samples:
        return {"intervals": {}}
    intervals = bootstrap_intervals(statistic, num_units, num_samples=num_samples, seed=seed)
    return {
        "bootstrap": {"samples": num_samples, "seed": seed, "level": LEVEL, "unit": unit},
        "intervals": {key: list(ends) for key, ends in intervals.items()},
    }
