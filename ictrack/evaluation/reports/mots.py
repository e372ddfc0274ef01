"""MOTS report: scores of results in masks as plain data for a JSON file, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.structures.json_files import AnnotationError, is_zip, require
from ictrack.structures.mots_png import SUFFIX as PICTURE_SUFFIX
from ictrack.structures.mots_png import png_sequences, read_png_masks
from ictrack.structures.mots_text import IGNORE_CLASS, MOTSObject
from ictrack.structures.sequence_texts import is_sequence_text

from ..metrics.association.counts import AssociationCounts, count_sequence
from ..metrics.mot_challenge.masks import (
    BENCHMARKS,
    MOTSBenchmark,
    MOTSRows,
    checked_rows,
    classes_of,
    mots_sequence,
)
from ..submission.archive import open_submission
from ..submission.mots import parse_mots
from ..submission.problem import Problem
from ..submission.sequence_files import SequenceFile, chosen, read_ground_truth_files, read_result_files
from .sequences import METRICS, intervals_of, scores_of, sequence_table, shared_map

__all__ = ["BENCHMARKS", "METRICS", "mots_report", "mots_tables"]

# The benchmark's names of scores of masks: name -> TrackEval's in CLEAR.
MASK_SCORES = {"MOTSA": "MOTA", "sMOTSA": "sMOTA", "MODSA": "MODA", "MOTSP": "MOTP"}
_LABELS = {"MOTA": "MOTSA", "MOTP": "MOTSP"}
_Item = tuple[MOTSRows, MOTSRows, "int | None"]


def mots_report(
    gt_path: str | Path,
    pred_path: str | Path,
    *,
    benchmark: str = "MOTSChallenge",
    sequences: Sequence[str] = (),
    metrics: Sequence[str] = METRICS,
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Score results in MOTS's text or pictures.

    Args:
        gt_path: Ground truth: text, see :mod:`ictrack.evaluation.submission.sequence_files`, or pictures, see
            :mod:`ictrack.structures.mots_png`.
        pred_path: Results, in either form.
        benchmark: Name in ``BENCHMARKS``.
        sequences, metrics, bootstrap, seed, workers: See :func:`ictrack.evaluation.reports.mot.mot_report`.

    Returns:
        - "sequences" and "combined" of :func:`.sequences.scores_of`, over the counts of all classes; "clear" also has
          the names in ``MASK_SCORES``;
        - "per_category", where there are several: the same for each;
        - "benchmark", "intervals", "warnings".

    Raises:
        AnnotationError: a file cannot be scored; the message has the file and the line.
        OSError: a file cannot be opened.
    """
    every, lengths = _read_ground_truth(gt_path)
    gt = {name: every[name] for name in chosen(every, sequences, gt_path)}
    pred, warnings = _read_results(pred_path, gt, every)
    if _seem_shifted(gt, pred):
        text = f"frames seem to count from {_first_of(pred)}, the ground truth's from {_first_of(gt)}"
        warnings.append(f"{pred_path}: {text}: results may be scored in the wrong frames")
    rules = BENCHMARKS[benchmark]
    classes = classes_of(list(gt.values()), rules)
    items = [(gt[name], pred[name], lengths.get(name)) for name in gt]
    counts = {name: AssociationCounts(len(items), metrics) for name in classes}
    total = AssociationCounts(len(items), metrics)
    with shared_map(workers) as each:
        count = partial(_count, rules=rules, classes=classes, metrics=metrics)
        for position, by_class in enumerate(each(count, items)):
            for name, rows in by_class.items():
                counts[name].add(position, rows)
                total.add(position, rows)
    names = list(gt)
    report = {"benchmark": benchmark, **_with_mask_scores(scores_of(names, total))}
    if len(classes) > 1:
        report["per_category"] = {name: _with_mask_scores(scores_of(names, one)) for name, one in counts.items()}
    return {**report, "warnings": warnings, **intervals_of(total, len(names), bootstrap, seed)}


def mots_tables(report: Mapping[str, Any], *, by_category: bool = True) -> str:
    """Tables of a report, in percent except counts; one a class, too, where there are several."""
    parts = [f"Masks, rules of {report['benchmark']}\n{sequence_table(report, report['intervals'], _LABELS)}"]
    if "clear" in report["combined"]:
        shown = ", ".join(f"{name} {100 * report['combined']['clear'][name]:.2f}" for name in ("sMOTSA", "MODSA"))
        parts[0] += f"\n{shown}"
    for name, scores in report.get("per_category", {}).items():
        parts.append(f"{name}\n{sequence_table(scores, {}, _LABELS)}")
    return "\n\n".join(parts)


def _with_mask_scores(scores: dict[str, Any]) -> dict[str, Any]:
    for one in (*scores["sequences"].values(), scores["combined"]):
        if "clear" in one:
            one["clear"].update({name: one["clear"][key] for name, key in MASK_SCORES.items()})
    return scores


def _count(
    item: _Item, rules: MOTSBenchmark, classes: Mapping[str, int], metrics: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    gt, pred, length = checked_rows(item[0]), checked_rows(item[1]), item[2]
    first = min(1, gt.first_frame, pred.first_frame) if rules.first_frame is None else rules.first_frame
    if gt.pictures is not None:
        length = gt.pictures[1] + 1 - first
    return {
        name: count_sequence(mots_sequence(gt, pred, length, first, number), metrics)
        for name, number in classes.items()
    }


def _seem_shifted(gt: Mapping[str, MOTSRows], pred: Mapping[str, MOTSRows]) -> bool:
    """Whether only one of ground truth and results has a frame 0, and the other, from 1 on, ends later somewhere."""
    from_zero, from_one = sorted((gt, pred), key=_first_of)
    starts = _first_of(from_zero), _first_of(from_one)
    return starts == (0, 1) and any(from_one[name].last_frame > from_zero[name].last_frame for name in gt)


def _first_of(sequences: Mapping[str, MOTSRows]) -> int:
    return min(rows.first_frame for rows in sequences.values())


def _pictures_in(path: str | Path) -> dict[str, list[Path]]:
    """Pictures by sequence of a folder; none for text. Raises AnnotationError if they are in a zip."""
    if Path(path).is_file() and is_zip(path):
        with open_submission(path) as files:
            are_pictures = not any(map(is_sequence_text, files.names)) and any(
                name.endswith(PICTURE_SUFFIX) for name in files.names
            )
        require(not are_pictures, str(path), "pictures are read from a folder: unpack the zip")
    return png_sequences(path)


def _read_ground_truth(path: str | Path) -> tuple[dict[str, MOTSRows], dict[str, int | None]]:
    pictures = _pictures_in(path)
    if pictures:
        return {name: _of_pictures(files) for name, files in pictures.items()}, {}
    files = read_ground_truth_files(path)
    return {name: _of_text(file) for name, file in files.items()}, {name: file.length for name, file in files.items()}


def _read_results(
    path: str | Path, names: Iterable[str], others: Iterable[str]
) -> tuple[dict[str, MOTSRows], list[str]]:
    pictures = _pictures_in(path)
    if not pictures:
        files, warnings = read_result_files(path, names, others)
        return {name: _of_text(file) for name, file in files.items()}, warnings
    for name in names:
        require(name in pictures, str(path), f"there is no folder {name}")
    return {name: _of_pictures(pictures[name]) for name in names}, []


def _of_text(file: SequenceFile) -> MOTSRows:
    places, objects = [], []
    for found in parse_mots(file.data):
        if isinstance(found, Problem):
            raise AnnotationError(f"{file.where}: {found.path}: {found.message}")
        places.append(f"line {found[0]}")
        objects.append(found[1])
    return _rows(file.where, places, objects)


def _of_pictures(files: Sequence[Path]) -> MOTSRows:
    objects = [(path.name, item) for path in files for item in read_png_masks(path)]
    rows = _rows(str(files[0].parent), [name for name, _ in objects], [item for _, item in objects])
    return replace(rows, pictures=(int(files[0].stem), int(files[-1].stem)))


def _rows(where: str, places: Sequence[str], objects: Sequence[MOTSObject]) -> MOTSRows:
    def column(of: Callable[[MOTSObject], int]) -> np.ndarray:
        return np.array([of(item) for item in objects], dtype=np.int64)

    classes = column(lambda item: item.class_id)
    return MOTSRows(
        where,
        places,
        column(lambda item: item.frame),
        column(lambda item: item.track_id),
        classes,
        classes == IGNORE_CLASS,
        [item.rle for item in objects],
    )
