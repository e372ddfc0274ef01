"""Smallest detection score that all compared methods share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping


def shared_scores(idf1: Mapping[tuple[int, str, float], float]) -> dict[int, float]:
    """Frame skip -> smallest detection score of the highest mean IDF1 over the methods; of equals the lowest.

    With one score for all, methods associate the same detections, and chance in the tuning of one of them does not
    decide about them.

    Args:
        idf1: (skip, method, smallest detection score) -> IDF1 on the clips for tuning.
    """
    totals: dict[int, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for (skip, _, score), value in idf1.items():
        totals[skip][score] += value
    return {skip: max(sorted(of_skip), key=lambda score: of_skip[score]) for skip, of_skip in totals.items()}
