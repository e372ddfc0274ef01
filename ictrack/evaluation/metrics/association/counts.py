"""Counts of HOTA, CLEAR MOT and Identity over the videos and categories of a data set, and the resulting scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .clear_mot import CLEAR_COUNTS, CLEAR_SUMMED, clear_counts, clear_scores
from .hota import ALPHAS, HOTA_COUNTS, HOTA_SUMMED, hota_counts, hota_curves, hota_scores
from .identity import IDENTITY_COUNTS, IDENTITY_SUMMED, identity_counts, identity_scores
from .tracked_sequence import TrackedSequence


@dataclass(frozen=True)
class AssociationMetric:
    """Metric whose counts add up over sequences and classes.

    Attributes:
        fields: Names of the F counts.
        length: L, size of each count; 1 for a number.
        count: Function of a sequence that returns counts by name.
        score: Function of counts by name that returns scores.
        summed: Scores that are summed over classes; the others are averaged.
    """

    fields: tuple[str, ...]
    length: int
    count: Callable[[TrackedSequence], Mapping[str, Any]]
    score: Callable[[Mapping[str, Any]], dict[str, float]]
    summed: tuple[str, ...]

    def row(self, sequence: TrackedSequence) -> np.ndarray:
        """Concatenated counts of a sequence, (F * L,)."""
        counts = self.count(sequence)
        return np.array([counts[key] for key in self.fields], dtype=float).ravel()

    def by_name(self, row: np.ndarray) -> dict[str, Any]:
        """Concatenated counts (F * L,) by their names: numbers, or (L,) each."""
        return dict(zip(self.fields, row if self.length == 1 else row.reshape(-1, self.length)))

    def scores(self, row: np.ndarray) -> dict[str, float]:
        """Scores of concatenated counts (F * L,): ratios as fractions, and counts."""
        return self.score(self.by_name(row))


ASSOCIATION_METRICS = {
    "hota": AssociationMetric(HOTA_COUNTS, len(ALPHAS), hota_counts, hota_scores, HOTA_SUMMED),
    "clear": AssociationMetric(CLEAR_COUNTS, 1, clear_counts, clear_scores, CLEAR_SUMMED),
    "identity": AssociationMetric(IDENTITY_COUNTS, 1, identity_counts, identity_scores, IDENTITY_SUMMED),
}


def count_sequence(
    sequence: TrackedSequence, metrics: Iterable[str] = tuple(ASSOCIATION_METRICS)
) -> dict[str, np.ndarray]:
    """Counts of one sequence by metric, for :meth:`AssociationCounts.add`."""
    return {name: ASSOCIATION_METRICS[name].row(sequence) for name in metrics}


@dataclass(frozen=True)
class AssociationResult:
    """Scores of one metric over a data set: counts, and ratios as fractions.

    Attributes:
        total: Scores of the counts summed over videos and categories (TrackEval's ``cls_comb_det_av``).
        class_averaged: Means of all categories' scores, with or without tracks; counts are summed (TrackEval's
            ``cls_comb_cls_av``).
        per_category: Scores of each category by its name.
        curves: "alpha" and the values of each score in ``total`` at those alphas, (19,) each; for HOTA only.
    """

    total: dict[str, float]
    class_averaged: dict[str, float]
    per_category: dict[str, dict[str, float]]
    curves: dict[str, list[float]]


class AssociationCounts:
    """Counts of V videos and K categories.

    Attributes:
        by_video: Counts (V, F * L) by metric, summed over categories, in the order of the metric's ``fields``.
    """

    def __init__(
        self,
        num_videos: int,
        metrics: Iterable[str] = tuple(ASSOCIATION_METRICS),
        categories: Sequence[str] = ("all",),
    ) -> None:
        """
        Args:
            num_videos: V.
            metrics: Names in ``ASSOCIATION_METRICS``.
            categories: Names of the K categories.
        """
        self._categories = categories
        widths = {name: len(ASSOCIATION_METRICS[name].fields) * ASSOCIATION_METRICS[name].length for name in metrics}
        self.by_video = {name: np.zeros((num_videos, width)) for name, width in widths.items()}
        self._by_category = {name: np.zeros((len(categories), width)) for name, width in widths.items()}

    def add(self, video: int, rows: Mapping[str, np.ndarray], category: int = 0) -> None:
        """Add the result of :func:`count_sequence` for the video and the category at these positions."""
        for name, row in rows.items():
            self.by_video[name][video] += row
            self._by_category[name][category] += row

    def scores(self, weights: np.ndarray | None = None) -> dict[str, dict[str, float]]:
        """Scores over all categories by metric: ratios as fractions, and counts.

        Args:
            weights: (V,) how often each video counts; None: once.
        """
        return {name: ASSOCIATION_METRICS[name].scores(row) for name, row in self._total(weights).items()}

    def resample(self, weights: np.ndarray) -> dict[str, float]:
        """Scores of :meth:`scores` under keys such as "hota.HOTA", for :mod:`..bootstrap`."""
        return {f"{name}.{key}": value for name, one in self.scores(weights).items() for key, value in one.items()}

    def results(self) -> dict[str, AssociationResult]:
        """Scores by metric: over all categories, averaged over them, and of each."""
        total = self.scores()
        return {name: self._result(name, total[name]) for name in total}

    def _result(self, name: str, total: dict[str, float]) -> AssociationResult:
        metric = ASSOCIATION_METRICS[name]
        per_category = dict(zip(self._categories, map(metric.scores, self._by_category[name])))
        averaged = {}
        for key in total:
            values = [scores[key] for scores in per_category.values()]
            averaged[key] = float(np.sum(values) if key in metric.summed else np.mean(values or [0.0]))
        curves = {}
        if name == "hota":
            by_alpha = hota_curves(metric.by_name(self._total()[name]))
            curves = {"alpha": ALPHAS.tolist(), **{key: values.tolist() for key, values in by_alpha.items()}}
        return AssociationResult(total, averaged, per_category, curves)

    def _total(self, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
        return {
            name: (np.ones(len(rows)) if weights is None else weights.astype(float)) @ rows
            for name, rows in self.by_video.items()
        }
