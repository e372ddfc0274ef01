"""YouTube-VIS by TrackEval."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

TRACKEVAL_METRICS = ("HOTA", "CLEAR", "Identity", "TrackMAP")


def trackeval(gt: Path, results: Path) -> dict[str, float]:
    """Metrics of YouTube-VIS by TrackEval; its AP is defined differently and has another name."""
    import trackeval as tool

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, link in (
            (gt, "gt/youtube_vis_val/gt.json"),
            (results, "own/youtube_vis_val/it/data/results.json"),
        ):
            (folder / link).parent.mkdir(parents=True)
            (folder / link).symlink_to(path.resolve())
        dataset = tool.datasets.YouTubeVIS(
            {"GT_FOLDER": f"{folder}/gt/", "TRACKERS_FOLDER": f"{folder}/own/", "SPLIT_TO_EVAL": "val",
             "PRINT_CONFIG": False}
        )  # fmt: skip
        quiet = dict.fromkeys(
            ("PRINT_RESULTS", "PRINT_CONFIG", "TIME_PROGRESS", "OUTPUT_SUMMARY", "OUTPUT_DETAILED", "PLOT_CURVES"),
            False,
        )
        # As TrackEval's own script for YouTube-VIS sets them.
        ranges = {
            "AREA_RANGES": [[0, 128**2], [128**2, 256**2], [256**2, 1e10]],
            "USE_TIME_RANGES": False,
            "PRINT_CONFIG": False,
        }
        metrics = [
            getattr(tool.metrics, name)(ranges if name == "TrackMAP" else {"PRINT_CONFIG": False})
            for name in TRACKEVAL_METRICS
        ]
        output, _ = tool.Evaluator({**quiet, "LOG_ON_ERROR": None}).evaluate([dataset], metrics)
    scores = output["YouTubeVIS"]["it"]["COMBINED_SEQ"]
    return {
        "TrackMAP": float(np.mean(scores["cls_comb_cls_av"]["TrackMAP"]["AP_all"])),
        "HOTA": float(np.mean(scores["cls_comb_det_av"]["HOTA"]["HOTA"])),
        "MOTA": float(scores["cls_comb_det_av"]["CLEAR"]["MOTA"]),
        "IDF1": float(scores["cls_comb_det_av"]["Identity"]["IDF1"]),
    }
