"""Rows of ``identify.csv``: what was measured, and what it cost."""

from __future__ import annotations

import csv
import io
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ictrack.structures.atomic_file import replacing

COLUMNS = ("video", "method", "seed", "test", "value", "num_pairs", "by_cut", "cpu_seconds", "peak_mib")


@dataclass(frozen=True)
class Cost:
    """CPU seconds, and peak memory of the process in MiB."""

    seconds: float
    mib: float

    @classmethod
    def since(cls, start: float, before: float = 0.0) -> Cost:
        """Cost from the process time ``start`` until now, and of ``before`` seconds."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return cls(before + time.process_time() - start, peak)


def row(
    method: str, seed: int, test: str, value: float, num_pairs: int, cost: Cost, by_cut: str = ""
) -> dict[str, object]:
    """Row without the video's name.

    Args:
        method, seed, test: What was measured.
        value: Result.
        num_pairs: Number of halves, detections or passages that it is of.
        cost: Cost of the method until then.
        by_cut: "matched/pairs" of each cut.
    """
    return {
        "method": method,
        "seed": seed,
        "test": test,
        "value": f"{value:.4f}",
        "num_pairs": num_pairs,
        "by_cut": by_cut,
        "cpu_seconds": f"{cost.seconds:.0f}",
        "peak_mib": f"{cost.mib:.0f}",
    }


def read_rows(path: Path) -> list[dict[str, object]]:
    """Rows of an ``identify.csv``; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="ascii") as file:
        return [dict(row) for row in csv.DictReader(file)]


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``identify.csv``."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.getvalue().encode("ascii"))
