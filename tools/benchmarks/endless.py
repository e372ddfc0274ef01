"""Tracking through long videos with a detector that costs nothing: memory by length, and runs that are killed."""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import finish_measured, measure_process
from benchmarks.numbered import NumberedStream, NumberedTracker
from ictrack.engine import video_run
from ictrack.engine.frame_tracker import FrameTracker
from ictrack.structures.exported_model import tracker_config

_MODULE = "benchmarks.endless"


def track_numbered(
    num_frames: int,
    tracks: str,
    output: str | None,
    resume: bool,
    opts: Sequence[str],
    state_seconds: float,
    settings: Any = None,
) -> dict[str, Any]:
    """Run :func:`track_video` on a :class:`NumberedStream`, and return its counts.

    Args:
        num_frames: Length of the video.
        tracks, output, resume: See :func:`track_video`.
        opts: Keys and values of the configuration.
        state_seconds: Seconds after which the tracker's state is saved again.
        settings: Settings of an exported model, for a run without PyTorch; None: a run with it.
    """
    video_run.STATE_SECONDS = state_seconds
    tracker = _torch_tracker(opts) if settings is None else NumberedTracker("settings", tracker_config(settings))
    summary = video_run.track_video(
        tracker, NumberedStream(num_frames), output, save_tracks=tracks, resume=resume, fingerprint=" ".join(opts)
    )
    return {
        "frames": summary.frames,
        "resumed": summary.resumed,
        "tracks": summary.tracks,
        "detections": summary.detections,
        "seconds": summary.seconds,
        "stages": summary.stages.seconds,
    }


def _config(opts: Sequence[str]) -> Any:
    from detectron2.config import get_cfg

    from ictrack.config import add_ictrack_config

    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.merge_from_list(list(opts))
    return cfg


def _torch_tracker(opts: Sequence[str]) -> FrameTracker:
    import torch

    from benchmarks.numbered_detector import NumberedDetector
    from ictrack.engine.video_tracker import VideoTracker
    from ictrack.tracking import build_tracker

    torch.set_num_threads(1)
    cfg = _config(opts)
    return VideoTracker(NumberedDetector(), lambda height, width: build_tracker(cfg, height, width))


def exported_settings(opts: Sequence[str]) -> dict[str, Any]:
    """Settings of an exported model with keys and values of the configuration."""
    from ictrack.engine.export import tracker_settings

    return tracker_settings(_config(opts))


def arguments_of(
    num_frames: int,
    tracks: Path,
    *,
    output: Path | None = None,
    resume: bool = False,
    opts: Sequence[str] = (),
    settings: Any = None,
) -> list[str]:
    """Arguments of this module as a process."""
    more = [*(["--output", str(output)] if output else []), *(["--resume"] if resume else [])]
    more += [] if settings is None else ["--settings", json.dumps(settings)]
    return [str(num_frames), str(tracks), *more, "--opts", *opts]


def run_killed(
    num_frames: int, tracks: Path, kills: int, seconds: float, opts: Sequence[str] = (), settings: Any = None
) -> list[int]:
    """Run to the end, with ``--resume`` after each of several SIGKILLs at random moments within ``seconds``.

    Returns:
        frame at which each run began; there are fewer if one ends before it is killed.
    """
    began = []
    generator = random.Random(0)  # noqa: S311  moments, no secret
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    for attempt in range(kills + 1):
        arguments = arguments_of(num_frames, tracks, resume=True, opts=opts, settings=settings)
        command = [sys.executable, "-m", _MODULE, *arguments]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603  this script
        assert process.stdout is not None
        began.append(int(process.stdout.readline()))  # after its imports
        if attempt < kills:
            time.sleep(generator.uniform(0, seconds))
            process.send_signal(signal.SIGKILL)
        process.communicate()
        if process.returncode != -signal.SIGKILL:
            break  # it came to its end before
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit status {process.returncode}")
    return began


def benchmark_endless(
    frames: Sequence[int], kills: int, draw: bool, exported: bool, opts: Sequence[str]
) -> dict[str, Any]:
    """Peak memory of runs of several lengths, and whether a killed one gives the same file.

    Args:
        frames: Numbers of frames; the last one's run is also killed.
        kills: Number of kills; 0: none.
        draw: Whether to draw the mp4, too.
        exported: Whether to run without PyTorch, as exported models do.
        opts: Keys and values of the configuration.
    """
    result: dict[str, Any] = {"runs": {}}
    settings = exported_settings(opts) if exported else None
    with tempfile.TemporaryDirectory() as folder:
        for number in frames:
            tracks, output = Path(folder, f"{number}.json"), Path(folder, f"{number}.mp4") if draw else None
            cost = measure_process(_MODULE, arguments_of(number, tracks, output=output, opts=opts, settings=settings))
            result["runs"][str(number)] = {"peak_mb": cost.peak_mb, **cost.output}
        if kills:
            again = Path(folder, "killed.json")
            # All before the end, also where other work slowed the run down that was measured.
            seconds = 2 * result["runs"][str(frames[-1])]["seconds"] / (kills + 3)
            result["began_at"] = run_killed(frames[-1], again, kills, seconds, opts, settings)
            result["same_file"] = again.read_bytes() == tracks.read_bytes()
            result["left"] = sorted(path.name for path in Path(folder).iterdir() if "partial" in path.name)
    return result


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("frames", type=int)
    parser.add_argument("tracks")
    parser.add_argument("--output")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--state-seconds", type=float, default=0.2)
    parser.add_argument("--settings", type=json.loads)
    parser.add_argument("--opts", nargs="*", default=[])
    args = parser.parse_args(argv)
    if args.resume:
        state = Path(f"{args.tracks}.partial.npz")
        print(int(np.load(state)["num_frames"]) if state.is_file() else 0, flush=True)
    counts = track_numbered(
        args.frames, args.tracks, args.output, args.resume, args.opts, args.state_seconds, args.settings
    )
    if not args.resume:
        finish_measured(counts)


if __name__ == "__main__":
    main()
