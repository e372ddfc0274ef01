"""TAO report: scores of results on TAO or BURST as plain data for a JSON file, and as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ictrack.structures.burst_json import burst_ground_truth, burst_results
from ictrack.structures.federated_video import FederatedGroundTruth, FederatedVideo, FrameObjects
from ictrack.structures.json_files import AnnotationError, read_json
from ictrack.structures.tao_json import tao_ground_truth, tao_results

from ..metrics.association.counts import AssociationCounts, count_sequence
from ..metrics.data_warnings import DataWarnings
from ..metrics.tao.teta import ROW_LENGTH, teta_counts, teta_scores
from ..metrics.tao.video import VideoObjects
from .association import SHOWN_RATIOS, association_rows
from .intervals import report_intervals
from .sequences import shared_map
from .tables import format_percent, format_table

METRICS = ("teta", *SHOWN_RATIOS)
_SHOWN_TETA = ("TETA", "LocA", "AssocA", "ClsA")
_Item = tuple[FederatedVideo, Sequence[FrameObjects], Sequence[FrameObjects]]


def tao_report(
    gt_path: str | Path,
    pred_path: str | Path,
    *,
    metrics: Sequence[str] = METRICS,
    bootstrap: int = 0,
    seed: int = 0,
    workers: int = 1,
) -> dict[str, Any]:
    """Score results on TAO (boxes) or BURST (masks), which the ground truth's form tells.

    Args:
        gt_path: Ground truth, ``.json`` or ``.json.gz``, or a folder with one file.
        pred_path: Results in the same data set's form, ``.json``, ``.json.gz`` or alone in a ``.zip``, or a folder.
        metrics: Names in ``METRICS``.
        bootstrap: Number of samples of the 95 % intervals over videos; 0: none.
        seed: Seed of those samples.
        workers: Number of processes that share the videos.

    Returns:
        - "teta": means over classes as fractions, and "per_category";
        - "hota", "clear", "identity": scores of the counts summed over classes, "class_averaged" (the benchmark's) and
          "per_category";
        - "shapes": "boxes" or "masks"; "intervals", "warnings".

    Raises:
        AnnotationError: a file cannot be scored; the message has the file and the JSON path.
        OSError: a file cannot be opened.
    """
    warnings = DataWarnings()
    gt, pred = _read(gt_path, pred_path, warnings)
    names = list(gt.categories.values())
    if len(set(names)) < len(names):  # a name may stand for several classes
        names = [f"{name} ({number})" for number, name in gt.categories.items()]
    position = {number: i for i, number in enumerate(gt.categories)}
    association = tuple(metric for metric in metrics if metric in SHOWN_RATIOS)
    counts = AssociationCounts(len(gt.videos), association, names)
    teta = _TetaRows(len(names))
    count = partial(_count, gt.has_masks, frozenset(position), association, "teta" in metrics)
    with shared_map(workers) as share:
        for video, (by_class, rows) in enumerate(share(count, list(zip(gt.videos, gt.frames, pred)))):
            for number, one in by_class.items():
                counts.add(video, one, position[number])
            for number, row in rows.items():
                teta.add(video, position[number], row)
    report: dict[str, Any] = {"shapes": "masks" if gt.has_masks else "boxes"}
    if "teta" in metrics:
        each = {key: values.tolist() for key, values in teta_scores(teta.by_class()).items()}
        by_name = {name: {key: values[i] for key, values in each.items()} for i, name in enumerate(names)}
        report["teta"] = teta.scores() | {"per_category": by_name}
    for name, result in counts.results().items():
        report[name] = {
            **result.total,
            "class_averaged": result.class_averaged,
            "per_category": result.per_category,
        }

    def statistic(weights: np.ndarray) -> dict[str, float]:
        one = {f"teta.{key}": value for key, value in teta.scores(weights).items()} if "teta" in metrics else {}
        return {**one, **counts.resample(weights)}

    return {
        **report,
        "warnings": warnings.lines(),
        **report_intervals(statistic, len(gt.videos), "video", bootstrap, seed),
    }


def tao_tables(report: Mapping[str, Any], *, by_category: bool = False) -> str:
    """Tables of a report, in percent except counts; with ``by_category`` also one with a row for each class."""
    parts = []
    if "teta" in report:
        rows = [
            [key, format_percent(report["teta"][key], report["intervals"].get(f"teta.{key}"))] for key in _SHOWN_TETA
        ]
        parts.append(f"TETA of {report['shapes']}, mean over classes\n{format_table(['%', 'class average'], rows)}")
    rows = association_rows(report)
    if rows:
        parts.append(f"Association\n{format_table(['%, counts', 'all', 'class average'], rows)}")
    if by_category:
        shown = [("teta", key) for key in _SHOWN_TETA] + [("hota", "HOTA"), ("clear", "MOTA"), ("identity", "IDF1")]
        shown = [(metric, key) for metric, key in shown if metric in report]
        classes = report[shown[0][0]]["per_category"]
        rows = [[name, *(format_percent(report[m]["per_category"][name][k]) for m, k in shown)] for name in classes]
        parts.append(f"By category\n{format_table(['%', *(key for _, key in shown)], rows)}")
    return "\n\n".join(parts)


class _TetaRows:
    """Counts of TETA by video and class, of which few pairs have some."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self._videos: list[int] = []
        self._classes: list[int] = []
        self._rows: list[np.ndarray] = []

    def add(self, video: int, position: int, row: np.ndarray) -> None:
        self._videos.append(video)
        self._classes.append(position)
        self._rows.append(row)

    def by_class(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Counts (K, ROW_LENGTH) summed over videos, each of which counts ``weights`` (V,) times; None: once."""
        ones = np.ones(len(self._rows)) if weights is None else weights[self._videos].astype(float)
        of_class = csr_array((ones, (self._classes, np.arange(len(ones)))), (self._num_classes, len(ones)))
        return of_class @ np.array(self._rows).reshape(-1, ROW_LENGTH)

    def scores(self, weights: np.ndarray | None = None) -> dict[str, float]:
        """Means of the scores over classes with objects, and sums of the counts."""
        total = self.by_class(weights)
        seen = total.any(axis=1)
        each = teta_scores(total[seen] if seen.any() else np.zeros((1, ROW_LENGTH)))
        # Loc_TP and so on are counts.
        return {key: float(np.sum(values) if "_" in key else np.mean(values)) for key, values in each.items()}


def _count(
    has_masks: bool, categories: frozenset[int], association: Sequence[str], with_teta: bool, item: _Item
) -> tuple[dict[int, dict[str, np.ndarray]], dict[int, np.ndarray]]:
    video, gt, pred = item
    objects = VideoObjects.compare(video, gt, pred, has_masks)
    by_class = {}
    for number in objects.scored_classes() if association else ():
        if number in categories:
            by_class[number] = count_sequence(objects.sequence_of(number), association)
    return by_class, teta_counts(objects, categories) if with_teta else {}


def _read(
    gt_path: str | Path, pred_path: str | Path, warnings: DataWarnings
) -> tuple[FederatedGroundTruth, Sequence[Sequence[FrameObjects]]]:
    gt_path, pred_path = _only_file(gt_path), _only_file(pred_path)
    gt = read_json(gt_path)
    if not isinstance(gt, dict):
        raise AnnotationError(f"{gt_path}: a ground truth is an object, of TAO with videos, of BURST with sequences")
    results = read_json(pred_path)
    if "sequences" in gt:
        truth = burst_ground_truth(gt, gt_path)
        return truth, burst_results(results, pred_path, truth, warnings.add)
    truth = tao_ground_truth(gt, gt_path)
    return truth, tao_results(results, pred_path, truth, warnings.add)


def _only_file(path: str | Path) -> Path:
    """JSON file of a folder, or of its folder ``data``, as TrackEval has them; any other path as it is."""
    path = Path(path)
    if not path.is_dir():
        return path
    files = [file for folder in (path, path / "data") for file in sorted(folder.glob("*.json"))]
    if len(files) != 1:
        raise AnnotationError(f"{path}: has {len(files)} .json files, must have one")
    return files[0]
