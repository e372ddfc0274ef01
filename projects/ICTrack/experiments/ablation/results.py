"""Results of the ablation on disk: ``ablation.csv``, and the counts of each video for confidence intervals."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.evaluation.metrics.association.identity import IDENTITY_COUNTS

COLUMNS = ("method", "form", "seed", "frame_skip", "video_ap", "idf1", "assa", "id_switches", "seconds")
SCORES = COLUMNS[4:]
COUNT_COLUMNS = (*COLUMNS[:4], "video", *IDENTITY_COUNTS)
RESULTS_FILE, COUNTS_FILE = "ablation.csv", "ablation_counts.csv.gz"
_DECIMALS = {"id_switches": 0, "seconds": 1}

Key = tuple[str, str, int]  # method, form, frame skip


class ResultsError(ValueError):
    """Unusable results file; the message names the file, the line and what is wrong."""


@dataclass(frozen=True)
class Results:
    """Results of all rows and seeds.

    Attributes:
        scores: (method, form, skip) -> seed -> score (a name in ``SCORES``) -> value.
        counts: (method, form, skip) -> (seed, video) -> (3,) ``IDENTITY_COUNTS``.
    """

    scores: dict[Key, dict[int, dict[str, float]]]
    counts: dict[Key, dict[tuple[int, int], np.ndarray]]


def write_results(folder: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write both files.

    Args:
        folder: Folder of the files; it is made.
        rows: Rows {"method", "form", "seed", "scores"}; "scores" as :meth:`Measurement.rows` returns them.
    """
    scores: list[list[Any]] = []
    counts: list[list[Any]] = []
    for row in rows:
        for one in row["scores"]:
            key = [row["method"], row["form"], row["seed"], one["frame_skip"]]
            scores.append([*key, *(f"{one[name]:.{_DECIMALS.get(name, 5)}f}" for name in SCORES)])
            counts += [[*key, video, *(f"{n:.0f}" for n in values)] for video, values in enumerate(one["counts"])]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESULTS_FILE).write_text(_csv(COLUMNS, scores), encoding="utf-8")
    # No time stamp: equal counts give equal bytes.
    (folder / COUNTS_FILE).write_bytes(gzip.compress(_csv(COUNT_COLUMNS, counts).encode(), mtime=0))


def read_results(folder: Path) -> Results:
    """Read both files.

    Raises:
        ResultsError: If one is missing or malformed, or a row has scores but no counts.
    """
    results = Results({}, {})
    path = folder / RESULTS_FILE
    for where, line in _lines(path, COLUMNS):
        values = {name: _number(line[name], where, name) for name in SCORES}
        results.scores.setdefault(_key(line, where), {})[_integer(line["seed"], where, "seed")] = values
    path = folder / COUNTS_FILE
    for where, line in _lines(path, COUNT_COLUMNS):
        unit = (_integer(line["seed"], where, "seed"), _integer(line["video"], where, "video"))
        identity = np.array([_number(line[name], where, name) for name in IDENTITY_COUNTS])
        results.counts.setdefault(_key(line, where), {})[unit] = identity
    for (method, form, skip), by_seed in results.scores.items():
        counted = {seed for seed, _ in results.counts.get((method, form, skip), {})}
        if missing := sorted(set(by_seed) - counted):
            raise ResultsError(f"{path}: no counts of {method} ({form}), frame skip {skip}, seeds {missing}")
    return results


def _csv(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return text.getvalue()


def _lines(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """(position for messages, column -> text) of each line of a file."""
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: cannot be read: {error}") from error
    reader = csv.reader(io.StringIO(text))
    header = next(reader, [])
    if tuple(header) != tuple(columns):
        raise ResultsError(f"{path}: the columns are {header}, but must be {list(columns)}")
    lines = []
    for line in reader:
        where = f"{path}: line {reader.line_num}"
        if len(line) != len(columns):
            raise ResultsError(f"{where}: {len(line)} values in {len(columns)} columns")
        lines.append((where, dict(zip(columns, line))))
    return lines


def _key(line: Mapping[str, str], where: str) -> Key:
    return line["method"], line["form"], _integer(line["frame_skip"], where, "frame_skip")


def _number(text: str, where: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ResultsError(f"{where}: {name} is {text!r}, not a number")
    return value


def _integer(text: str, where: str, name: str) -> int:
    value = _number(text, where, name)
    if value != int(value):
        raise ResultsError(f"{where}: {name} is {text!r}, not a whole number")
    return int(value)
