"""Rows of tables for HOTA, CLEAR and Identity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tables import format_count, format_percent

# Scores in tables, by metric.
SHOWN_RATIOS = {"hota": ("HOTA", "DetA", "AssA", "LocA"), "clear": ("MOTA", "MOTP"), "identity": ("IDF1", "IDP", "IDR")}
SHOWN_COUNTS: dict[str, tuple[str, ...]] = {"hota": (), "clear": ("IDSW", "MT", "PT", "ML", "Frag"), "identity": ()}


def association_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Rows of a report's table: name, score with its interval, and the class average if the report has one."""
    rows = []
    for name in SHOWN_RATIOS:
        if name not in report:
            continue
        scores, averaged = report[name], report[name].get("class_averaged")
        for key in SHOWN_RATIOS[name]:
            row = [key, format_percent(scores[key], report["intervals"].get(f"{name}.{key}"))]
            if averaged is not None:
                row.append(format_percent(averaged[key]))
            rows.append(row)
        rows += [[key, format_count(scores[key])] for key in SHOWN_COUNTS[name]]
    return rows
