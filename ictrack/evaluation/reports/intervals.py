"""Bootstrap intervals as a part of a report."""

from __future__ import annotations

from typing import Any

from ..metrics.bootstrap import LEVEL, Statistic, bootstrap_intervals


def report_intervals(statistic: Statistic, num_units: int, unit: str, num_samples: int, seed: int) -> dict[str, Any]:
    """Intervals of a report's scores.

    Args:
        statistic: function as for :func:`bootstrap_intervals`; its keys are "part.score".
        num_units: number of units that are drawn from.
        unit: word for what is drawn.
        num_samples: number of draws; 0: no intervals.
        seed: random seed of the draws.

    Returns:
        "intervals": key -> [low, high], and, if there are any, "bootstrap": how they were made.
    """
    if not num_samples:
        return {"intervals": {}}
    intervals = bootstrap_intervals(statistic, num_units, num_samples=num_samples, seed=seed)
    return {
        "bootstrap": {"samples": num_samples, "seed": seed, "level": LEVEL, "unit": unit},
        "intervals": {key: list(ends) for key, ends in intervals.items()},
    }
