#!/usr/bin/env python
"""Speed and memory of ICTrack's parts on this machine.

python tools/benchmark.py tracker [--json OUT]
python tools/benchmark.py track-memory --config-file ... --weights ... --input video.mp4 [--json OUT]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from ictrack.config import add_ictrack_config
from ictrack.engine.setup import load_config
from ictrack.engine.tracking_memory import peak_memory
from ictrack.tracking import build_tracker


def measure(function: Callable[[Any], Any], inputs: list[Any]) -> dict[str, float]:
    """Milliseconds of ``function(input)`` over ``inputs``: median, 90th percentile, worst, and median of CPU time."""
    times, cpu_times = [], []
    for value in inputs:
        start, cpu_start = time.perf_counter(), time.process_time()
        function(value)
        times.append(1000 * (time.perf_counter() - start))
        cpu_times.append(1000 * (time.process_time() - cpu_start))
    return {
        "median_ms": statistics.median(times),
        "p90_ms": float(np.percentile(times, 90)),
        "max_ms": max(times),
        "median_cpu_ms": statistics.median(cpu_times),
        "repeats": len(times),
    }


def tracker_frame(embeddings: np.ndarray, boxes: np.ndarray, mask_size: list[int] | None) -> Instances:
    """Detections of score 0.9 with ``embeddings`` (N, D) and ``boxes`` (N, 4), and filled boxes as masks."""
    height, width = mask_size or (180, 320)
    frame = Instances((height, width))
    frame.pred_boxes = Boxes(torch.from_numpy(boxes))
    frame.scores = torch.full((len(boxes),), 0.9)
    frame.pred_classes = torch.zeros(len(boxes), dtype=torch.int64)
    frame.embeddings = torch.from_numpy(embeddings)
    if mask_size is not None:
        x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
        left, top, right, bottom = (side[:, None] for side in frame.pred_boxes.tensor.unbind(1))
        frame.pred_masks = ((y > top) & (y < bottom))[:, :, None] & ((x > left) & (x < right))[:, None]
    return frame


def benchmark_tracker(args: argparse.Namespace) -> dict[str, Any]:
    """Updates of a tracker whose memory holds ``args.tracks`` tracks, each frame re-finding ``args.detections``."""
    rng = np.random.default_rng(0)
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.TRACKER_NAME = "EmbeddingTracker"
    cfg.TRACKER_HEADS.MAX_DETECTIONS = args.detections
    cfg.merge_from_list(args.opts)
    corners = rng.uniform(0, 100, (args.tracks, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 60, (args.tracks, 2))], axis=1).astype(np.float32)
    identities = rng.standard_normal((args.tracks, args.dim)).astype(np.float32)

    tracker = build_tracker(cfg, *(args.masks or (180, 320)))
    for rows in np.array_split(np.arange(args.tracks), -(-args.tracks // args.detections)):
        tracker.update(tracker_frame(identities[rows], boxes[rows], args.masks))
    frames = []
    for _ in range(args.warmup + args.repeats):
        rows = rng.choice(args.tracks, args.detections, replace=False)
        noise = 0.3 * rng.standard_normal((args.detections, args.dim)).astype(np.float32)
        frames.append(tracker_frame(identities[rows] + noise, boxes[rows], args.masks))
    identities_seen = 1 + max(int(tracker.update(frame).ID.max()) for frame in frames[: args.warmup])
    result = measure(tracker.update, frames[args.warmup :])
    return {
        "tracker": cfg.TRACKER_HEADS.TRACKER_NAME,
        "identities": identities_seen,  # more than args.tracks if the tracker lost some
        **{name: getattr(args, name) for name in ("tracks", "detections", "dim", "masks", "opts")},
        **result,
    }


def benchmark_track_memory(args: argparse.Namespace) -> dict[str, Any]:
    """Peak memory of tracking a video, repeated until it has so many frames; each length in a process of its own."""
    cfg = load_config(args.config_file, ["MODEL.WEIGHTS", args.weights, *args.opts])
    peaks = {str(length): peak_memory(cfg, args.input, length) / 2**20 for length in args.frames}
    return {"input": args.input, "peak_mb": peaks}


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    tracker = commands.add_parser("tracker", help="one update of an online tracker")
    tracker.set_defaults(run=benchmark_tracker)
    tracker.add_argument("--detections", type=int, default=100, help="in each frame")
    tracker.add_argument("--tracks", type=int, default=1000, help="in the memory")
    tracker.add_argument("--dim", type=int, default=128, help="of the embeddings")
    tracker.add_argument("--masks", type=int, nargs=2, metavar=("H", "W"), help="give the detections masks")
    tracker.add_argument("--warmup", type=int, default=20, help="updates before the measurement")
    tracker.add_argument("--repeats", type=int, default=200, help="measured updates")
    tracker.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE of the config: TRACKER_HEADS.MAX_AGE 30")
    memory = commands.add_parser("track-memory", help="peak memory of tracking short and long videos")
    memory.set_defaults(run=benchmark_track_memory)
    memory.add_argument("--config-file", required=True)
    memory.add_argument("--weights", default="")
    memory.add_argument("--input", required=True, help="video, folder of frames or glob")
    memory.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    memory.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE of the config")
    for command in commands.choices.values():
        command.add_argument("--threads", type=int, default=1, help="of PyTorch (OMP_NUM_THREADS sets NumPy's)")
        command.add_argument("--json", metavar="OUT", help="write the figures to this file, too")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    result = {
        "command": args.command,
        **args.run(args),
        "machine": platform.processor() or platform.machine(),
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
    }
    text = json.dumps(result, indent=1)
    print(text)
    if args.json:
        with open(args.json, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
