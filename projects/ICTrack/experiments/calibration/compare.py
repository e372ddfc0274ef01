"""Comparison of thresholds on the clips of a finished quick-start: its rows, and their table."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances

from experiments.association.masks import track_clip
from experiments.quickstart import masks, poses
from experiments.quickstart.masks import SKIPS
from experiments.readme_table import show_in_readme
from ictrack.engine.calibration import Calibration, calibrate_on
from ictrack.engine.settings_file import with_settings
from ictrack.evaluation.metrics import count_sequence, paired_bootstrap
from ictrack.evaluation.metrics.association.counts import ASSOCIATION_METRICS
from ictrack.tracking import build_tracker
from ictrack.tracking.separation import Clip, separation

from .clips import FinishedQuickstart, load_quickstart, true_labels

RESULTS_FILE = "calibration.csv"
# Configuration of the last stage, and the methods of the quick-start's table that the heads are.
TASKS = {
    "masks": ("solo_lite0_video.yaml", {"image": masks.IMAGE_ONLY, "fused": masks.OURS}),
    "pose": ("pose_lite0_video.yaml", {"image": poses.IMAGE_ONLY, "fused": poses.OURS}),
}
NUM_SAMPLES = 1000


def compare(task: str, configs: Path, output: Path) -> list[dict[str, Any]]:
    """Rows of the comparison, IDF1 and its difference to the tuned thresholds in percent.

    Args:
        task: Name in ``TASKS``.
        configs: Folder of the quick-starts' configurations.
        output: Folder of the finished quick-start.
    """
    config, methods = TASKS[task]
    quickstart = load_quickstart(task, str(configs / config), output)
    tuned = json.loads((output / "metrics.json").read_text())["skips"]
    rows = []
    for skip in SKIPS:
        for head, method in methods.items():
            cfg = quickstart.cfg
            calibrations = {"calibrated": calibrate_on(cfg, quickstart.training[head], skip)}
            if quickstart.evaluation:
                calibrations["calibrated on these clips"] = calibrate_on(cfg, quickstart.evaluation[head], skip)
            settings = {
                "configuration's own": {},
                "tuned on labeled clips": _tuned_settings(tuned[str(skip)][method]),
                **{name: calibration.settings for name, calibration in calibrations.items()},
            }
            counts = {
                name: _counts(quickstart, with_settings(cfg, chosen), head, skip) for name, chosen in settings.items()
            }
            for name, chosen in settings.items():
                row = {"task": task, "every": skip, "head": method, "thresholds": name}
                row |= _thresholds(with_settings(cfg, chosen)) | idf1_and_difference(
                    counts[name], counts["tuned on labeled clips"]
                )
                if name in calibrations:
                    row |= _accuracy(quickstart, with_settings(cfg, chosen), head, calibrations[name])
                rows.append(row)
    return rows


def _tuned_settings(scores: Mapping[str, Any]) -> dict[str, float]:
    return {
        "TRACKER_HEADS.MIN_SCORE": scores["min_score"],
        "TRACKER_HEADS.NEW_TRACK_SCORE": scores["min_score"],
        "TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE": scores["threshold"],
    }


def _thresholds(cfg: CfgNode) -> dict[str, Any]:
    heads = cfg.TRACKER_HEADS
    return {
        "tracker": heads.TRACKER_NAME,
        "min_score": heads.MIN_SCORE,
        "new_object_cosine": heads.EMBEDDING.NEW_OBJECT_COSINE,
        "scale": heads.EMBEDDING.SCALE,
    }


def _counts(quickstart: FinishedQuickstart, cfg: CfgNode, head: str, skip: int) -> np.ndarray:
    """(V, F) counts of Identity of each evaluation clip, over its phases."""
    tracker = build_tracker(cfg, 0, 0)
    feature = head if cfg.TRACKER_HEADS.TRACKER_NAME == "EmbeddingTracker" else None

    def counts(part: Any) -> np.ndarray:
        return count_sequence(quickstart.sequence(part, track_clip(part, feature, tracker)), ("identity",))["identity"]

    step = skip // SKIPS[0]
    return np.array([sum(map(counts, clip.all_phases(step))) for clip in quickstart.clips])


def idf1_and_difference(counts: np.ndarray, tuned: np.ndarray) -> dict[str, float]:
    """IDF1 in percent, and its difference to another one with a paired bootstrap's 95 % interval over clips.

    Args:
        counts, tuned: (V, 3) counts of Identity of each clip.
    """

    def score(of: np.ndarray, weights: np.ndarray) -> dict[str, float]:
        return {"IDF1": 100 * ASSOCIATION_METRICS["identity"].scores(weights @ of)["IDF1"]}

    every = np.ones(len(counts))
    (low, high), *_ = paired_bootstrap(
        lambda weights: score(counts, weights),
        lambda weights: score(tuned, weights),
        len(counts),
        num_samples=NUM_SAMPLES,
    ).values()
    idf1 = score(counts, every)["IDF1"]
    return {"IDF1": idf1, "minus_tuned": idf1 - score(tuned, every)["IDF1"], "low": low, "high": high}


def _accuracy(quickstart: FinishedQuickstart, cfg: CfgNode, head: str, calibration: Calibration) -> dict[str, float]:
    """Estimated accuracy, and the true one of the evaluation clips' detections at the same distance of frames."""
    tracker = build_tracker(cfg, 0, 0)
    clips = [_labeled_clip(quickstart, clip, head, cfg.TRACKER_HEADS.MIN_SCORE) for clip in quickstart.clips]
    low, high = calibration.appearance.interval
    step = max(1, calibration.appearance.gap // SKIPS[0])
    return {
        "gap": calibration.appearance.gap,
        "accuracy": 100 * calibration.appearance.accuracy,
        "accuracy_low": 100 * low,
        "accuracy_high": 100 * high,
        "true_accuracy": 100 * float(separation(tracker, clips, step).right.mean()),
    }


def _labeled_clip(quickstart: FinishedQuickstart, clip: Any, head: str, min_score: float) -> Clip:
    """Detections of a clip from a score on, with the objects that they truly are as tracklets."""
    rows = [torch.nonzero(frame.detections.scores >= min_score)[:, 0] for frame in clip.frames]
    truth = quickstart.sequence(clip, [(one.numpy(), np.arange(len(one))) for one in rows])
    frames = []
    for frame, one in zip(clip.frames, rows):
        kept: Instances = frame.detections[one]
        kept.embeddings = frame.features[head][one]
        frames.append(kept)
    return Clip(frames, true_labels(truth))


def write_results(results: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to ``results``, in place of former ones of the same tasks, and show the table in ``../README.md``."""
    path, tasks = results / RESULTS_FILE, {row["task"] for row in rows}
    former = list(csv.DictReader(path.read_text().splitlines())) if path.is_file() else []
    rounded = [{key: f"{x:.2f}" if isinstance(x, float) else x for key, x in row.items()} for row in rows]
    merged = [*(row for row in former if row["task"] not in tasks), *rounded]
    results.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in merged for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(merged, key=lambda row: row["task"]))
    show_in_readme(results.parent / "README.md", "calibration", format_table(path))


def format_table(path: Path) -> str:
    """Markdown table of a results file."""
    header = ("task", "every", "head", "thresholds", "score", "cosine", "kappa", "IDF1", "minus tuned", "95 %",
              "estimated accuracy", "true")  # fmt: skip
    lines = [header, ("---",) * len(header)]
    for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        is_embedding = row["tracker"] == "EmbeddingTracker"
        cosine, scale = (row["new_object_cosine"], row["scale"]) if is_embedding else ("position", "")
        accuracy = ""
        if row["accuracy"]:
            accuracy = f"{row['accuracy']} [{row['accuracy_low']}, {row['accuracy_high']}] at {row['gap']}"
        is_tuned = row["thresholds"].startswith("tuned")
        change = ("", "") if is_tuned else (f"{float(row['minus_tuned']):+.2f}", f"[{row['low']}, {row['high']}]")
        lines.append((row["task"], row["every"], row["head"], row["thresholds"], row["min_score"], cosine, scale,
                      row["IDF1"], *change, accuracy, row["true_accuracy"]))  # fmt: skip
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
