"""HOTA, CLEAR MOT and Identity of a data set, from the counts of its videos and categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .clear_mot import CLEAR_COUNTS, CLEAR_SUMMED, clear_counts, clear_figures
from .hota import ALPHAS, HOTA_COUNTS, HOTA_SUMMED, hota_counts, hota_curves, hota_figures
from .identity import IDENTITY_COUNTS, IDENTITY_SUMMED, identity_counts, identity_figures
from .tracked_sequence import TrackedSequence


@dataclass(frozen=True)
class AssociationMetric:
    """A metric whose counts add up over sequences and classes.

    Attributes:
        fields: names of the counts.
        length: of each count; 1 for a number.
        count: sequence -> counts.
        figures: counts -> figures.
        summed: figures that are added up over classes where others are averaged.
    """

    fields: tuple[str, ...]
    length: int
    count: Callable[[TrackedSequence], Mapping[str, Any]]
    figures: Callable[[Mapping[str, Any]], dict[str, float]]
    summed: tuple[str, ...]

    def row(self, sequence: TrackedSequence) -> np.ndarray:
        """The counts of a sequence, one behind the other, (fields x length,)."""
        counts = self.count(sequence)
        return np.array([counts[key] for key in self.fields], dtype=float).ravel()

    def counts(self, row: np.ndarray) -> dict[str, Any]:
        """The inverse of :meth:`row`."""
        if self.length == 1:
            return dict(zip(self.fields, row.tolist()))
        return dict(zip(self.fields, row.reshape(len(self.fields), self.length)))


ASSOCIATION_METRICS = {
    "hota": AssociationMetric(HOTA_COUNTS, len(ALPHAS), hota_counts, hota_figures, HOTA_SUMMED),
    "clear": AssociationMetric(CLEAR_COUNTS, 1, clear_counts, clear_figures, CLEAR_SUMMED),
    "identity": AssociationMetric(IDENTITY_COUNTS, 1, identity_counts, identity_figures, IDENTITY_SUMMED),
}


@dataclass(frozen=True)
class AssociationResult:
    """The figures of one metric over a data set: counts and, as fractions, ratios.

    Attributes:
        total: of the counts summed over videos and categories (TrackEval's ``cls_comb_det_av``).
        class_averaged: the means of the categories' figures, also of those without any track; counts are summed
            (TrackEval's ``cls_comb_cls_av``).
        per_category: category name -> the figures of one category.
        curves: HOTA only: "alpha", and of ``total`` the values of each figure at those alphas, (19,) each.
    """

    total: dict[str, float]
    class_averaged: dict[str, float]
    per_category: dict[str, dict[str, float]]
    curves: dict[str, list[float]]


class AssociationCounts:
    """One metric's counts of V videos and K categories."""

    def __init__(self, name: str, categories: Sequence[str], num_videos: int) -> None:
        self._metric = ASSOCIATION_METRICS[name]
        self._is_hota = name == "hota"
        self._categories = categories
        width = len(self._metric.fields) * self._metric.length
        self._by_video, self._by_category = np.zeros((num_videos, width)), np.zeros((len(categories), width))

    def add(self, video: int, category: int, row: np.ndarray) -> None:
        """Add the counts of a video and category, by their positions."""
        self._by_video[video] += row
        self._by_category[category] += row

    def total(self, weights: np.ndarray) -> dict[str, float]:
        """The figures if each video counts ``weights`` (V,) times."""
        return self._metric.figures(self._metric.counts(weights.astype(float) @ self._by_video))

    def result(self) -> AssociationResult:
        """The figures with each video counted once."""
        ones = np.ones(len(self._by_video))
        per_category = {
            name: self._metric.figures(self._metric.counts(row))
            for name, row in zip(self._categories, self._by_category)
        }
        total = self.total(ones)
        averaged = {}
        for key in total:
            values = [figures[key] for figures in per_category.values()]
            averaged[key] = float(np.sum(values) if key in self._metric.summed else np.mean(values or [0.0]))
        curves = {}
        if self._is_hota:
            by_alpha = hota_curves(self._metric.counts(ones @ self._by_video))
            curves = {"alpha": ALPHAS.tolist(), **{key: values.tolist() for key, values in by_alpha.items()}}
        return AssociationResult(total, averaged, per_category, curves)
