"""Bootstrap intervals as a part of a report."""

from __future__ import annotations

from typing import Any

from ..metrics.bootstrap import LEVEL, Statistic, bootstrap_intervals


def report_intervals(statistic: Statistic, num_units: int, unit: str, num_samples: int, seed: int) -> dict[str, Any]:
    """Intervals of a report's scores.

    Args:
        statistic: as for :func:`bootstrap_intervals`, of the keys "part.score".
        num_units: that are drawn.
        unit: what is drawn, in a word.
        num_samples: draws; 0: no intervals.
        seed: of the draws.

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
