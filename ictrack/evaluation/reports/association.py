"""HOTA, CLEAR and Identity of the sequences of one class, in percent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np

from ..metrics.association.clear_mot import CLEAR_COUNTS
from ..metrics.association.combine import ASSOCIATION_METRICS, AssociationCounts
from ..metrics.association.hota import HOTA_SUMMED
from ..metrics.association.identity import IDENTITY_SUMMED
from ..metrics.association.tracked_sequence import TrackedSequence

Source = TypeVar("Source")

# Figures that are no fractions.
_COUNTS = frozenset((*HOTA_SUMMED, *CLEAR_COUNTS, "FP_per_frame", *IDENTITY_SUMMED))


class AssociationFigures:
    """The figures of S sequences of one class, in percent but for the counts."""

    def __init__(
        self,
        sources: Sequence[Source],
        read: Callable[[Source], TrackedSequence],
        metrics: Iterable[str],
        workers: int = 1,
    ) -> None:
        """
        Args:
            sources: (S,) what ``read`` makes a sequence of.
            read: with several workers it must be a function that another process can import.
            metrics: of ``ASSOCIATION_METRICS``.
            workers: processes that share the sequences.
        """
        self._counts = {name: AssociationCounts(name, ["all"], len(sources)) for name in metrics}
        count = partial(_rows, read=read, metrics=tuple(self._counts))
        if workers > 1:
            with ProcessPoolExecutor(workers) as pool:
                each = list(pool.map(count, sources))
        else:
            each = list(map(count, sources))
        for position, rows in enumerate(each):
            for name, row in rows.items():
                self._counts[name].add(position, 0, row)

    def figures(self, weights: np.ndarray) -> dict[str, dict[str, float]]:
        """metric -> figures of a draw of sequences.

        Args:
            weights: (S,) integers, how often each sequence was drawn; ones are the whole data set.
        """
        return {name: in_percent(counts.total(weights)) for name, counts in self._counts.items()}

    def resample(self, weights: np.ndarray) -> dict[str, float]:
        """The same under keys such as "hota.HOTA"."""
        return {f"{name}.{key}": value for name, one in self.figures(weights).items() for key, value in one.items()}


def in_percent(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures with fractions in percent, counts as they are."""
    return {key: value if key in _COUNTS else 100 * value for key, value in figures.items()}


def _rows(
    source: Source, *, read: Callable[[Source], TrackedSequence], metrics: Sequence[str]
) -> dict[str, np.ndarray]:
    sequence = read(source)
    return {metric: ASSOCIATION_METRICS[metric].row(sequence) for metric in metrics}
