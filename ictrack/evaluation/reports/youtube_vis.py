"""YouTube-VIS report: all scores of results as plain data for a JSON file, and as tables for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.youtube_vis_json import read_ground_truth

from ..metrics import VideoEvaluation, evaluate_videos
from ..metrics.youtube_vis.evaluate import METRICS
from ..metrics.youtube_vis.video_ap import PROTOCOLS
from ..submission import read_results_file
from .association import SHOWN_RATIOS, association_rows
from .intervals import report_intervals
from .tables import Interval, are_equal, format_count, format_percent, format_table

__all__ = ["METRICS", "PROTOCOLS", "report_of", "youtube_vis_report", "youtube_vis_tables"]

# Beginning of a JSON path of the results, or of the ground truth, in a list of paths.
_JSON_PATH = re.compile(r"(?:^|(?<=, ))(?:results(?=\[)|(annotations|videos|categories)(?=[\[.:]))")


def youtube_vis_report(
    gt_path: str | Path,
    pred_path: str | Path,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    metrics: Sequence[str] = METRICS,
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Score a results file.

    Args:
        gt_path: Ground truth, ``.json`` or ``.json.gz``.
        pred_path: Results, ``.json``, ``.json.gz``, or the ``.zip`` that a server takes.
        protocols: Protocols of average precision; see :mod:`ictrack.evaluation.metrics.youtube_vis.video_ap`.
        metrics: Names in ``METRICS``.
        bootstrap: Number of samples of the 95 % intervals over videos; 0: none.
        seed: Seed of those samples.
        workers: Number of processes that share the videos.

    Returns:
        Report of :func:`report_of`, with intervals.

    Raises:
        AnnotationError: a file cannot be scored; the message has the file and the JSON path.
        OSError: a file cannot be opened.
    """
    gt = read_ground_truth(gt_path, pack_runs=True)
    if gt.get("annotations") is None:
        raise AnnotationError(f"{gt_path}: annotations: must not be missing in a ground truth to score against")
    pred = read_results_file(pred_path)
    try:
        evaluation = evaluate_videos(gt, pred, metrics=tuple(metrics), protocols=tuple(protocols), workers=workers)
    except AnnotationError as error:
        raise AnnotationError(_with_file(str(error), gt_path, pred_path)) from None
    report = report_of(evaluation)
    report["warnings"] = [_with_file(text, gt_path, pred_path) for text in report["warnings"]]
    return report | report_intervals(evaluation.resample, len(gt["videos"]), "video", bootstrap, seed)


def report_of(evaluation: VideoEvaluation) -> dict[str, Any]:
    """Report on an evaluation as plain data.

    Returns:
        - a protocol's name: the 12 official scores as fractions (NaN: nothing to measure), "per_category" with the
          same scores of each category, "per_threshold" with AP and AR100; or "error" if the protocol cannot score;
        - "hota", "clear", "identity": scores of the counts summed over categories, "class_averaged" and
          "per_category"; in "hota" also "per_threshold", of the summed counts at each alpha;
        - "intervals": empty; "warnings": texts.
    """
    report: dict[str, Any] = {}
    for protocol, result in evaluation.ap.items():
        report[protocol] = {
            **result.summary(),
            "per_category": result.per_category(),
            "per_threshold": result.per_threshold(),
        }
    for protocol, reason in evaluation.errors.items():
        report[protocol] = {"error": reason}
    for metric in SHOWN_RATIOS:
        result = getattr(evaluation, metric)
        if result is not None:
            report[metric] = {
                **result.total,
                **({"per_threshold": result.curves} if result.curves else {}),
                "class_averaged": result.class_averaged,
                "per_category": result.per_category,
            }
    errors = [f"the {protocol} protocol cannot score: {reason}" for protocol, reason in evaluation.errors.items()]
    return {**report, "intervals": {}, "warnings": [*evaluation.warnings, *errors]}


def youtube_vis_tables(report: Mapping[str, Any], *, by_category: bool = False) -> str:
    """Tables of a report, in percent except counts."""
    parts = [_precision_table(report), _association_table(report)]
    if by_category:
        parts.append(_category_table(report))
    return "\n\n".join(part for part in parts if part)


def _with_file(message: str, gt_path: str | Path, pred_path: str | Path) -> str:
    """Message that begins with JSON paths, with the names of their files in front of each."""
    named = _JSON_PATH.sub(lambda path: f"{gt_path}: {path[1]}" if path[1] else f"{pred_path}: ", message)
    return f"{pred_path}: {message}" if named == message else named


def _precision_table(report: Mapping[str, Any]) -> str:
    columns = {protocol: report[protocol] for protocol in PROTOCOLS if "AP" in report.get(protocol, {})}
    if not columns:
        return ""
    title = "Average precision and recall of tracks"
    if len(columns) == 2 and are_equal(columns["official"], columns["strict"]):
        columns = {"official = strict": columns["official"]}
    first = next(iter(columns.values()))
    rows = [
        [key, *(format_percent(column[key], _interval(report, name, key)) for name, column in columns.items())]
        for key, value in first.items()
        if isinstance(value, float)
    ]
    return f"{title}\n{format_table(['%', *columns], rows)}"


def _interval(report: Mapping[str, Any], part: str, key: str) -> Interval | None:
    return report["intervals"].get(f"{part.split()[0]}.{key}")


def _association_table(report: Mapping[str, Any]) -> str:
    rows = association_rows(report)
    if not rows:
        return ""
    return f"Association, of all detections in the file\n{format_table(['%, counts', 'all', 'class average'], rows)}"


def _category_table(report: Mapping[str, Any]) -> str:
    columns = list(_category_columns(report))
    if not columns:
        return ""
    rows = [[name, *(cells[name] for _, cells in columns)] for name in sorted(columns[0][1])]
    return f"By category\n{format_table(['%, counts', *(header for header, _ in columns)], rows)}"


def _category_columns(report: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Headers of the columns, and their cells by category."""
    for protocol in PROTOCOLS:
        by_name = report.get(protocol, {}).get("per_category")
        if by_name is None or (protocol == "strict" and are_equal(report.get("official"), report["strict"])):
            continue
        suffix = "" if protocol == "official" else f" ({protocol})"
        for key in ("AP", "AP50", "AP75", "AR10"):
            yield f"{key}{suffix}", {name: format_percent(numbers[key]) for name, numbers in by_name.items()}
    for metric, keys in (("hota", ("HOTA",)), ("clear", ("MOTA",)), ("identity", ("IDF1",))):
        if metric in report:
            by_name = report[metric]["per_category"]
            for key in keys:
                yield key, {name: format_percent(numbers[key]) for name, numbers in by_name.items()}
    if "clear" in report:
        yield "IDSW", {name: format_count(numbers["IDSW"]) for name, numbers in report["clear"]["per_category"].items()}
