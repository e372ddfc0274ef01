"""Trackers side by side on identical detections of clips with ground truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.data.image_file import ImageFile
from ictrack.engine.setup import load_config
from ictrack.evaluation.metrics.association.counts import AssociationCounts, count_sequence
from ictrack.evaluation.metrics.association.tracked_sequence import TrackedSequence
from ictrack.evaluation.metrics.bootstrap import bootstrap_intervals, paired_bootstrap
from ictrack.evaluation.reports.tables import format_percent, format_table
from ictrack.model_zoo import get_config_file
from ictrack.tracking.overlap import box_iou

from .rival_trackers import MakeUpdate, all_trackers
from .tracking_clips import Clip, read_clips

_SCORES = ("hota.HOTA", "hota.AssA", "identity.IDF1")


def benchmark_tracking(
    *, data: str, detections: str, detector: str, steps: Sequence[int], bootstrap: int, opts: Sequence[str]
) -> dict[str, Any]:
    """Scores of each tracker, on every k-th frame.

    Args:
        data: Folder with ``instances.json`` (YouTube-VIS) and ``JPEGImages``.
        detections: Folder with ``CLIP.DETECTOR.json`` or ``.json.gz``, COCO annotations with scores.
        detector: Middle part of those names.
        steps: Values of k.
        bootstrap: Number of draws of clips for the intervals; 0: none.
        opts: KEY VALUE pairs of the configuration.
    """
    cfg = load_config(str(get_config_file("boxes")), ["MODEL.DEVICE", "cpu", *opts])
    clips = read_clips(cfg, Path(data), Path(detections), detector)
    makers = all_trackers(cfg)
    results: dict[str, Any] = {}
    for step in steps:
        counts, speeds = {}, {}
        for name, make in makers.items():
            counts[name], speeds[name] = _track_clips(make, clips, step)
        results[str(step)] = {
            name: _scores(counts[name], counts["default"], speeds[name], len(clips), bootstrap) for name in makers
        }
    return {"clips": [clip.name for clip in clips], "detector": detector, "every": results}


def _track_clips(make: MakeUpdate, clips: Sequence[Clip], step: int) -> tuple[AssociationCounts, float]:
    """Counts by clip, and updates a second."""
    counts, seconds, updates = AssociationCounts(len(clips)), 0.0, 0
    for number, clip in enumerate(clips):
        update, tracked = make(*clip.size), []
        for path, found in zip(clip.paths[::step], clip.detections[::step]):
            with ImageFile(path) as file:
                image = file.read()
            start = time.perf_counter()
            tracked.append(update(found, image))
            seconds += time.perf_counter() - start
            updates += 1
        counts.add(number, count_sequence(_sequence(clip.gt[::step], tracked)))
    return counts, updates / max(seconds, 1e-9)


def _sequence(
    gt: Sequence[tuple[np.ndarray, np.ndarray]], pred: Sequence[tuple[np.ndarray, np.ndarray]]
) -> TrackedSequence:
    def renumbered(frames: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[list[np.ndarray], int]:
        numbers: dict[int, int] = {}
        ids = [np.array([numbers.setdefault(i, len(numbers)) for i in x.tolist()], np.int64) for x, _ in frames]
        return ids, len(numbers)

    (gt_ids, num_gt), (pred_ids, num_pred) = renumbered(gt), renumbered(pred)
    similarity = [np.clip(box_iou(a.astype(float), b.astype(float)), 0, 1) for (_, a), (_, b) in zip(gt, pred)]
    return TrackedSequence(gt_ids, pred_ids, similarity, num_gt, num_pred)


def _scores(
    counts: AssociationCounts, default: AssociationCounts, speed: float, num_clips: int, draws: int
) -> dict[str, Any]:
    scores: dict[str, Any] = {**counts.scores(), "updates_per_second": speed}
    if draws:
        scores["intervals"] = bootstrap_intervals(counts.resample, num_clips, num_samples=draws)
        scores["below_default"] = paired_bootstrap(default.resample, counts.resample, num_clips, num_samples=draws)
    return scores


def tracking_table(result: dict[str, Any]) -> str:
    """Table for each k, best IDF1 first."""
    tables = []
    for step, trackers in result["every"].items():
        rows = []
        for name, scores in sorted(trackers.items(), key=lambda item: -item[1]["identity"]["IDF1"]):
            intervals = scores.get("intervals", {})
            row = [name]
            for key in _SCORES:
                metric, _, score = key.partition(".")
                row.append(format_percent(scores[metric][score], intervals.get(key)))
            rows.append([*row, f"{scores['clear']['IDSW']:.0f}", f"{scores['updates_per_second']:.0f}"])
        headers = [f"every {step}", "HOTA", "AssA", "IDF1", "id switches", "updates/s"]
        tables.append(format_table(headers, rows))
    return "\n\n".join(tables)
