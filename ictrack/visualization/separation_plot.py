"""Picture of how well similarities separate the same object from different ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ictrack.structures.atomic_file import replacing

_BINS = 60
# Shares of the similarities that the picture leaves out at either end, in percent: a few far ones would squeeze it.
_LEFT_OUT = 0.5


def draw_separation(
    path: str | Path, same: np.ndarray, different: np.ndarray, threshold: float | None, title: str, measure: str
) -> None:
    """Write a PNG with the histograms of similarities of the same object and of different ones.

    Args:
        path: PNG to write.
        same: (P,) similarities of the same object, P at least 1.
        different: (Q,) similarities of different objects, Q at least 1.
        threshold: Similarity below which the tracker takes an object for a new one, drawn as a line; None: no line.
        title: Title.
        measure: What the similarity is.
    """
    figure = Figure(figsize=(7, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    low = min(np.percentile(x, _LEFT_OUT) for x in (same, different))
    high = max(np.percentile(x, 100 - _LEFT_OUT) for x in (same, different))
    edges = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
    for values, label, color in (different, "of different objects", "tab:orange"), (same, "of one object", "tab:blue"):
        # Each sums up to 1, although different pairs are many more.
        weights = np.full(len(values), 1 / len(values))
        axes.hist(np.clip(values, low, high), edges.tolist(), weights=weights, alpha=0.6, color=color, label=label)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=1, label=f"below {threshold:.2f}: a new object")
    axes.set_title(title, fontsize=10)
    axes.set(xlabel=measure, ylabel="share of the pairs")
    axes.legend()
    canvas = FigureCanvasAgg(figure)
    with replacing(path) as file:
        canvas.print_png(file)
