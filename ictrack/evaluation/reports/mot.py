"""MOTChallenge report: scores of results in boxes as plain data for a JSON file, and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ictrack.structures.mot_text import MOTRows, parse_mot

from ..metrics.association.tracked_sequence import TrackedSequence
from ..metrics.data_warnings import DataWarnings
from ..metrics.mot_challenge.boxes import BENCHMARKS, MOTBenchmark, lost_marks, mot_sequence
from ..submission.sequence_files import SequenceFile, chosen, read_ground_truth_files, read_result_files
from .sequences import METRICS, count_all, intervals_of, scores_of, sequence_table

__all__ = ["BENCHMARKS", "METRICS", "mot_report", "mot_table"]


def mot_report(
    gt_path: str | Path,
    pred_path: str | Path,
    *,
    benchmark: str = "MOT17",
    sequences: Sequence[str] = (),
    metrics: Sequence[str] = METRICS,
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Score results in MOTChallenge's text.

    Args:
        gt_path: Ground truth, see :mod:`ictrack.evaluation.submission.sequence_files`.
        pred_path: Results, a ``.txt`` a sequence in a folder or a zip.
        benchmark: Name in ``BENCHMARKS``, whose rules decide which boxes count.
        sequences: Names of the sequences to score, or patterns such as ``*-FRCNN``; empty: all.
        metrics: Names in ``METRICS``.
        bootstrap: Number of samples of the 95 % intervals over sequences; 0: none.
        seed: Seed of those samples.
        workers: Number of processes that share the sequences.

    Returns:
        - "sequences" and "combined" of :func:`.sequences.scores_of`;
        - "benchmark", "intervals", "warnings".

    Raises:
        AnnotationError: a file cannot be scored; the message has the file and the line.
        OSError: a file cannot be opened.
    """
    files = read_ground_truth_files(gt_path)
    gt = {name: files[name] for name in chosen(files, sequences, gt_path)}
    pred, warnings = read_result_files(pred_path, gt, others=files)
    items = [(parse_mot(file.data, file.where), pred[name], file.length) for name, file in gt.items()]
    marks = DataWarnings()
    for rows, *_ in items:
        for row in lost_marks(rows).tolist():
            text = "a mark that is not whole is cut off to 0, and the box does not count; is it a score?"
            marks.add(text, f"{rows.where}: line {rows.lines[row]}")
    counts = count_all(partial(_sequence, rules=BENCHMARKS[benchmark]), items, metrics, workers)
    return {
        "benchmark": benchmark,
        **scores_of(list(gt), counts),
        "warnings": warnings + marks.lines(),
        **intervals_of(counts, len(gt), bootstrap, seed),
    }


def mot_table(report: Mapping[str, Any]) -> str:
    """Table of a report, in percent except counts."""
    return f"Boxes, rules of {report['benchmark']}\n{sequence_table(report, report['intervals'], {})}"


def _sequence(item: tuple[MOTRows, SequenceFile, int | None], rules: MOTBenchmark) -> TrackedSequence:
    gt, pred, length = item
    return mot_sequence(gt, parse_mot(pred.data, pred.where), length, rules)
