"""What tables show of HOTA, CLEAR and Identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tables import format_count, format_percent

# Fractions, and counts.
SHOWN_RATIOS = {"hota": ("HOTA", "DetA", "AssA", "LocA"), "clear": ("MOTA", "MOTP"), "identity": ("IDF1", "IDP", "IDR")}
SHOWN_COUNTS: dict[str, tuple[str, ...]] = {"hota": (), "clear": ("IDSW", "MT", "PT", "ML", "Frag"), "identity": ()}


def association_rows(report: Mapping[str, Any], scale: float) -> list[list[str]]:
    """Rows of a report's table: name, figure with its interval, and the class average where there is one.

    Args:
        scale: 100 for a report in fractions, 1 for one in percent.
    """
    rows = []
    for name in SHOWN_RATIOS:
        if name not in report:
            continue
        figures, averaged = report[name], report[name].get("class_averaged")
        for key in SHOWN_RATIOS[name]:
            interval = report["intervals"].get(f"{name}.{key}")
            row = [key, format_percent(figures[key], interval, scale=scale, undefined=None)]
            if averaged is not None:
                row.append(format_percent(averaged[key], scale=scale, undefined=None))
            rows.append(row)
        rows += [[key, format_count(figures[key])] for key in SHOWN_COUNTS[name]]
    return rows
