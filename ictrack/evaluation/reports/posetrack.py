"""Every figure of PoseTrack predictions: as plain data for a JSON file, and as tables for the terminal. In percent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.pose_sequence import PoseSequence
from ictrack.structures.posetrack_json import read_pose_folder

from ..metrics import bootstrap_intervals
from ..metrics.association.tracked_sequence import TrackedSequence
from ..metrics.posetrack.evaluate import PROTOCOLS, evaluate_pose
from ..metrics.posetrack.results import JOINT_NAMES, PoseEvaluation, group_joints
from ..metrics.posetrack.similarity import SIMILARITIES, pose_tracks
from ..submission import read_posetrack_results
from .association import AssociationFigures
from .association_table import SHOWN_RATIOS, association_rows
from .tables import Interval, format_percent, format_table

METRICS = ("ap", "mot", *SHOWN_RATIOS)
# In the tables: row -> (part of the report, figure, headline of the resampling).
_POSE_ROWS = {
    "AP": ("AP", "ap", "AP"),
    "MOTA": ("MOT", "mota", "MOTA"),
    "MOTP": ("MOT", "motp", "MOTP"),
    "MOT precision": ("MOT", "pre", "Prec"),
    "MOT recall": ("MOT", "rec", "Rec"),
}


def posetrack_report(
    ground_truth_path: str | Path,
    results_path: str | Path,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    metrics: Sequence[str] = METRICS,
    similarity: str = SIMILARITIES[0],
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Score the predictions of a folder.

    Args:
        ground_truth_path: a folder of ``.json`` or ``.json.gz`` files, or one of them.
        results_path: the same, or a ``.zip``.
        protocols: of AP and MOT; see :mod:`ictrack.evaluation.metrics.posetrack.evaluate`.
        metrics: of ``METRICS``.
        similarity: of two people for HOTA, CLEAR and Identity, of ``SIMILARITIES``.
        bootstrap: number of samples of the 95 % intervals over sequences; 0: none.
        seed: of those samples.
        workers: processes that share the sequences in HOTA, CLEAR and Identity.

    Returns:
        - a protocol's name: "AP" with ``ap``, ``pre`` and ``rec``, and "MOT" with ``mota``, ``motp``, ``pre`` and
          ``rec``, each by joint and in "total"; "counters" of MOT; "sequences" with the same of each;
        - "hota", "clear", "identity" of whole people, ratios in percent, and "similarity";
        - "intervals", "warnings".

    Raises:
        AnnotationError: with the file and the JSON path of what cannot be scored.
        OSError: a file cannot be opened.
    """
    truth = read_pose_folder(ground_truth_path, is_ground_truth=True)
    found = read_posetrack_results(results_path)
    report: dict[str, Any] = {}
    statistics: list[Callable[[np.ndarray], dict[str, float]]] = []
    warnings: Sequence[str] = ()
    if "ap" in metrics or "mot" in metrics:
        evaluation = _evaluate_pose(truth, found, protocols, results_path)
        parts = [part for metric, part in (("ap", "AP"), ("mot", "MOT"), ("mot", "counters")) if metric in metrics]
        report.update(_pose_figures(evaluation, parts))
        statistics.append(evaluation.resample)
        warnings = evaluation.warnings
    association = tuple(metric for metric in metrics if metric in SHOWN_RATIOS)
    if association:
        pairs = [(truth[name], _predictions(found, name, results_path)) for name in sorted(truth)]
        figures = AssociationFigures(pairs, partial(_tracks, similarity=similarity), association, workers)
        report.update(figures.figures(np.ones(len(truth), dtype=np.int64)))
        report["similarity"] = similarity
        statistics.append(figures.resample)
    report["intervals"] = {}
    report["warnings"] = list(warnings)
    if bootstrap:
        report["bootstrap"] = {"samples": bootstrap, "seed": seed, "level": 0.95, "unit": "sequence"}
        intervals = bootstrap_intervals(
            lambda weights: {key: value for one in statistics for key, value in one(weights).items()},
            len(truth),
            num_samples=bootstrap,
            seed=seed,
        )
        report["intervals"] = {key: list(ends) for key, ends in intervals.items()}
    return report


def posetrack_tables(report: Mapping[str, Any], *, by_joint: bool = False) -> str:
    """The tables of a report; with ``by_joint`` also one with a row for each joint."""
    protocols = {protocol: report[protocol] for protocol in PROTOCOLS if protocol in report}
    parts = []
    if protocols:
        parts.append(_pose_table(report, protocols))
        if by_joint:
            parts.append(_joint_table(protocols))
    rows = association_rows(report, scale=1.0)
    if rows:
        title = f"Association of people, similarity {report['similarity']}"
        parts.append(f"{title}\n{format_table(['%, counts', 'all'], rows)}")
    return "\n\n".join(parts)


def _evaluate_pose(
    truth: Mapping[str, PoseSequence], found: Mapping[str, PoseSequence], protocols: Sequence[str], source: str | Path
) -> PoseEvaluation:
    try:
        return evaluate_pose(truth, found, tuple(protocols))
    except AnnotationError as error:
        message = str(error)
        raise AnnotationError(message if str(source) in message else f"{source}: {message}") from None


def _predictions(found: Mapping[str, PoseSequence], name: str, source: str | Path) -> PoseSequence:
    if name not in found:
        raise AnnotationError(f"{source}: {name}: there are no predictions for this sequence of the ground truth")
    return found[name]


def _tracks(pair: tuple[PoseSequence, PoseSequence], similarity: str) -> TrackedSequence:
    return pose_tracks(*pair, similarity)


def _pose_figures(evaluation: PoseEvaluation, parts: Sequence[str]) -> dict[str, Any]:
    def chosen(figures: Mapping[str, Any]) -> dict[str, Any]:
        return {part: figures[part] for part in parts}

    by_sequence = evaluation.per_sequence()
    return {
        protocol: {
            **chosen(figures),
            "sequences": {name: chosen(one[protocol]) for name, one in by_sequence.items()},
        }
        for protocol, figures in evaluation.results.items()
    }


def _pose_table(report: Mapping[str, Any], protocols: Mapping[str, Any]) -> str:
    rows, agreeing = [], []
    for row, (part, key, headline) in _POSE_ROWS.items():
        values = {name: figures[part][key] for name, figures in protocols.items() if part in figures}
        if len(values) == 2 and _same(values["official"], values["strict"]):
            values = {"official": values["official"]}
            agreeing.append(row)
        for protocol, by_joint in values.items():
            label = row if row in agreeing or len(protocols) == 1 else f"{row} ({protocol})"
            interval: Interval | None = report["intervals"].get(f"{protocol}.{headline}")
            columns = group_joints(by_joint)
            total = columns.pop("Total")
            cells = [format_percent(value, scale=1, undefined=None) for value in columns.values()]
            rows.append([label, *cells, format_percent(total, interval, scale=1, undefined=None)])
    headers = ["%", *group_joints(dict.fromkeys((*JOINT_NAMES, "total"), 0.0))]
    title = "Poses, " + (f"{next(iter(protocols))} protocol" if len(protocols) == 1 else "both protocols")
    if agreeing and len(protocols) == 2:
        title += f"; they agree on {', '.join(agreeing)}"
    return f"{title}\n{format_table(headers, rows)}"


def _joint_table(protocols: Mapping[str, Any]) -> str:
    columns = {
        f"{row} ({protocol})": figures[part][key]
        for row, (part, key, _) in _POSE_ROWS.items()
        for protocol, figures in protocols.items()
        if part in figures
    }
    rows = [
        [joint, *(format_percent(values[joint], scale=1, undefined=None) for values in columns.values())]
        for joint in JOINT_NAMES
    ]
    return f"By joint\n{format_table(['%', *columns], rows)}"


def _same(first: Mapping[str, float], second: Mapping[str, float]) -> bool:
    return first.keys() == second.keys() and bool(
        np.array_equal(list(first.values()), list(second.values()), equal_nan=True)
    )
