"""PoseTrack report: all scores of predictions as plain data for a JSON file, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.pose_sequence import PoseSequence
from ictrack.structures.posetrack_json import read_pose_folder

from ..metrics.association.tracked_sequence import TrackedSequence
from ..metrics.posetrack.evaluate import PROTOCOLS, evaluate_pose
from ..metrics.posetrack.results import JOINT_NAMES, PoseEvaluation, group_joints
from ..metrics.posetrack.similarity import SIMILARITIES, pose_tracks
from ..submission import read_posetrack_results
from .association import SHOWN_RATIOS, association_rows
from .intervals import report_intervals
from .sequences import count_all
from .tables import Interval, are_equal, format_percent, format_table

METRICS = ("ap", "mot", *SHOWN_RATIOS)
# Rows of the tables: label -> (part of the report, score, key of the interval).
_POSE_ROWS = {
    "AP": ("AP", "ap", "AP"),
    "MOTA": ("MOT", "mota", "MOTA"),
    "MOTP": ("MOT", "motp", "MOTP"),
    "MOT precision": ("MOT", "pre", "Prec"),
    "MOT recall": ("MOT", "rec", "Rec"),
}


def posetrack_report(
    gt_path: str | Path,
    pred_path: str | Path,
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
        gt_path: Folder of ``.json`` or ``.json.gz`` files, or one such file.
        pred_path: Folder, file or ``.zip`` of predictions.
        protocols: Protocols of AP and MOT; see :mod:`ictrack.evaluation.metrics.posetrack.evaluate`.
        metrics: Names in ``METRICS``.
        similarity: Similarity of two people for HOTA, CLEAR and Identity, a name in ``SIMILARITIES``.
        bootstrap: Number of samples of the 95 % intervals over sequences; 0: none.
        seed: Seed of those samples.
        workers: Number of processes that share the sequences in HOTA, CLEAR and Identity.

    Returns:
        - a protocol's name: "AP" with ``ap``, ``pre`` and ``rec``, and "MOT" with ``mota``, ``motp``, ``pre`` and
          ``rec``, each by joint and in "total", as fractions (NaN: nothing to measure); "counters" of MOT; "sequences"
          with the same scores of each sequence;
        - "hota", "clear", "identity" of whole people, ratios as fractions, and "similarity";
        - "intervals", "warnings".

    Raises:
        AnnotationError: a file cannot be scored; the message has the file and the JSON path.
        OSError: a file cannot be opened.
    """
    gt = read_pose_folder(gt_path, is_ground_truth=True)
    pred = read_posetrack_results(pred_path)
    report: dict[str, Any] = {}
    statistics: list[Callable[[np.ndarray], dict[str, float]]] = []
    warnings: Sequence[str] = ()
    if "ap" in metrics or "mot" in metrics:
        evaluation = _evaluate_pose(gt, pred, protocols, pred_path)
        parts = [part for metric, part in (("ap", "AP"), ("mot", "MOT"), ("mot", "counters")) if metric in metrics]
        report.update(_pose_scores(evaluation, parts))
        statistics.append(evaluation.resample)
        warnings = evaluation.warnings
    association = tuple(metric for metric in metrics if metric in SHOWN_RATIOS)
    if association:
        pairs = [(gt[name], _predictions(pred, name, pred_path)) for name in sorted(gt)]
        counts = count_all(partial(_sequence, similarity=similarity), pairs, association, workers)
        report.update(counts.scores(), similarity=similarity)
        statistics.append(counts.resample)
    report["warnings"] = list(warnings)

    def statistic(weights: np.ndarray) -> dict[str, float]:
        return {key: value for one in statistics for key, value in one(weights).items()}

    return report | report_intervals(statistic, len(gt), "sequence", bootstrap, seed)


def posetrack_tables(report: Mapping[str, Any], *, by_joint: bool = False) -> str:
    """Tables of a report; with ``by_joint`` also one with a row for each joint."""
    protocols = {protocol: report[protocol] for protocol in PROTOCOLS if protocol in report}
    parts = []
    if protocols:
        parts.append(_pose_table(report, protocols))
        if by_joint:
            parts.append(_joint_table(protocols))
    rows = association_rows(report)
    if rows:
        title = f"Association of people, similarity {report['similarity']}"
        parts.append(f"{title}\n{format_table(['%, counts', 'all'], rows)}")
    return "\n\n".join(parts)


def _evaluate_pose(
    gt: Mapping[str, PoseSequence], pred: Mapping[str, PoseSequence], protocols: Sequence[str], source: str | Path
) -> PoseEvaluation:
    try:
        return evaluate_pose(gt, pred, tuple(protocols))
    except AnnotationError as error:
        message = str(error)
        raise AnnotationError(message if str(source) in message else f"{source}: {message}") from None


def _predictions(pred: Mapping[str, PoseSequence], name: str, source: str | Path) -> PoseSequence:
    if name not in pred:
        raise AnnotationError(f"{source}: {name}: there are no predictions for this sequence of the ground truth")
    return pred[name]


def _sequence(pair: tuple[PoseSequence, PoseSequence], similarity: str) -> TrackedSequence:
    return pose_tracks(*pair, similarity)


def _pose_scores(evaluation: PoseEvaluation, parts: Sequence[str]) -> dict[str, Any]:
    def chosen(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {part: scores[part] for part in parts}

    by_sequence = evaluation.per_sequence()
    return {
        protocol: {
            **chosen(scores),
            "sequences": {name: chosen(one[protocol]) for name, one in by_sequence.items()},
        }
        for protocol, scores in evaluation.scores.items()
    }


def _pose_table(report: Mapping[str, Any], protocols: Mapping[str, Any]) -> str:
    rows, agreeing = [], []
    for row, (part, key, headline) in _POSE_ROWS.items():
        values = {name: scores[part][key] for name, scores in protocols.items() if part in scores}
        if len(values) == 2 and are_equal(values["official"], values["strict"]):
            values = {"official": values["official"]}
            agreeing.append(row)
        for protocol, by_joint in values.items():
            label = row if row in agreeing or len(protocols) == 1 else f"{row} ({protocol})"
            interval: Interval | None = report["intervals"].get(f"{protocol}.{headline}")
            columns = group_joints(by_joint)
            total = columns.pop("Total")
            cells = [format_percent(value) for value in columns.values()]
            rows.append([label, *cells, format_percent(total, interval)])
    headers = ["%", *group_joints(dict.fromkeys((*JOINT_NAMES, "total"), 0.0))]
    title = "Poses, " + (f"{next(iter(protocols))} protocol" if len(protocols) == 1 else "both protocols")
    if agreeing and len(protocols) == 2:
        title += f"; they agree on {', '.join(agreeing)}"
    return f"{title}\n{format_table(headers, rows)}"


def _joint_table(protocols: Mapping[str, Any]) -> str:
    columns = {
        f"{row} ({protocol})": scores[part][key]
        for row, (part, key, _) in _POSE_ROWS.items()
        for protocol, scores in protocols.items()
        if part in scores
    }
    rows = [[joint, *(format_percent(values[joint]) for values in columns.values())] for joint in JOINT_NAMES]
    return f"By joint\n{format_table(['%', *columns], rows)}"
