"""Tables of aligned columns for the terminal and strict JSON, without any dependency."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Interval = Sequence[float]


def format_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Table of ``rows`` under ``headers`` and a rule, first column left-aligned, others right-aligned.

    A row may have fewer cells than there are headers.
    """
    widths = [
        max(len(header), *(len(row[column]) for row in rows if column < len(row)), 0)
        for column, header in enumerate(headers)
    ]
    lines = [headers, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def format_percent(value: float, interval: Interval | None = None) -> str:
    """Text of a fraction in percent with two decimals, followed by its interval; "-" for NaN."""
    if math.isnan(value):
        return "-"
    text = f"{100 * value:.2f}"
    if interval is None:
        return text
    low, high = map(format_percent, interval)
    return f"{text} [{low}, {high}]"


def in_percent(fractions: Mapping[str, float]) -> dict[str, float]:
    """Scores in percent, as Detectron2's evaluators return them."""
    return {key: 100 * value for key, value in fractions.items()}


def format_count(value: float) -> str:
    """Text of a count, without decimals if it is whole."""
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


def to_json(value: Any) -> Any:
    """Value that strict JSON can hold: arrays become lists, NaN becomes None."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def are_equal(one: Any, other: Any) -> bool:
    """Whether two parts of reports hold the same scores; NaN equals NaN."""
    return bool(to_json(one) == to_json(other))


def write_json(value: Any, path: str | Path) -> None:
    """Write ``value``, converted by :func:`to_json`, with full precision. Raises ValueError if a number is infinite."""
    text = json.dumps(to_json(value), indent=1, allow_nan=False)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")
