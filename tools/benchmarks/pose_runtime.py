"""Speed of the whole pose tracking pipeline, at one scale and at several."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from tabulate import tabulate

from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker

from .measure import hardware

# Frames before the measurement.
_WARMUP = 2


def benchmark_pose_runtime(
    *, config_file: str, weights: str, input: str, frames: int, opts: Sequence[str]
) -> dict[str, Any]:
    """Frames a second from the file to the tracked poses: decoding, detector, embedding and tracker.

    Measured at one scale and at those of ``TEST.AUG``, as in Table 1 of the supplementary of arXiv 2104.00287.

    Args:
        config_file, weights, opts: Configuration of model and tracker; without weights the model is random.
        input: Video, folder of frames or glob, of at least three frames.
        frames: Largest number of measured frames, after two that are not measured.

    Raises:
        ValueError: If the source has too few frames.
    """
    rows = []
    for name, is_multi_scale in (("ICTrack", False), ("ICTrack (ms)", True)):
        cfg = load_config(config_file, ["MODEL.WEIGHTS", weights, *opts, "TEST.AUG.ENABLED", str(is_multi_scale)])
        tracked = islice(VideoTracker.from_config(cfg).run(input), _WARMUP + frames)
        for _ in range(_WARMUP):
            next(tracked, None)
        start = time.perf_counter()
        counts = [len(instances) for _, instances in tracked]
        if not counts:
            raise ValueError(f"{input}: has no more than {_WARMUP} frames, which are left out of the measurement")
        seconds = time.perf_counter() - start
        rows.append({
            "method": name,
            "fps": len(counts) / seconds,
            "frames": len(counts),
            "people_per_frame": sum(counts) / len(counts),
        })  # fmt: skip
    return {"config": config_file, "input": input, "hardware": hardware(cfg.MODEL.DEVICE), "rows": rows}


def pose_runtime_table(result: dict[str, Any]) -> str:
    """Result as text."""
    rows = [[row["method"], row["fps"], row["frames"], row["people_per_frame"]] for row in result["rows"]]
    table = tabulate(rows, ["Method", "runtime (fps)", "frames", "people a frame"], floatfmt=".2f")
    return f'{table}\n{result["hardware"]}; "ms": test at several scales (TEST.AUG)'
