"""Tracking of a video, drawn and saved: seconds a frame, against those of the stages, which overlap in threads."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter
from ictrack.engine.setup import load_config
from ictrack.engine.video_run import TrackingSummary, track_video
from ictrack.engine.video_tracker import VideoTracker
from ictrack.model_zoo import get_config_file

from .measure import hardware

# Thread -> its stages, one after another.
THREADS = {
    "decode": ("decode",),
    "model": ("detect", "embed", "track"),
    "save": ("save",),
    "draw": ("draw",),
    "encode": ("encode",),
}
_HEIGHT, _WIDTH, _FPS = 360, 640, 25.0
_NUM_OBJECTS = 8


def benchmark_pipeline(
    config_file: str, weights: str, input: str, frames: Sequence[int], opts: Sequence[str]
) -> dict[str, Any]:
    """Seconds a frame of tracking with everything that ``ictrack track`` writes.

    What is spent once, as on the first frame, cancels out in the difference of a short and a long run.

    Args:
        config_file: Configuration; "": that of ``ictrack track``.
        weights: Checkpoint, instead of MODEL.WEIGHTS; "": none.
        input: Video; "": one of disks that move over a photo-like background, of 640 x 360 pixels.
        frames: Numbers of frames of the short and of the long run.
        opts: Keys and values of the configuration.

    Returns:
        "seconds" a frame, those of each stage in "stages" and of each thread in "threads"; "to_largest" and "to_sum",
        the ratios of "seconds" to the largest thread's and to the sum; and "detections" a frame.

    Raises:
        ValueError: The video is shorter than the long run.
    """
    short, long = sorted(frames)
    cfg = load_config(
        config_file or str(get_config_file("boxes")), [*opts, *(["MODEL.WEIGHTS", weights] * bool(weights))]
    )
    tracker = VideoTracker.from_config(cfg)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(input) if input else write_disks(Path(folder, "disks.mp4"), long)
        with open_frames(video) as stream:
            if stream.length is not None and stream.length < long:
                raise ValueError(f"{video}: has {stream.length} frames, the long run {long}")
        runs = [_track(tracker, video, Path(folder), number) for number in (short, long)]
    return {"frames": [short, long], "hardware": hardware(cfg.MODEL.DEVICE), **cost_of_a_frame(*runs)}


def _track(tracker: VideoTracker, video: Path, folder: Path, number: int) -> TrackingSummary:
    return track_video(
        tracker, video, folder / f"{number}.mp4", save_tracks=folder / f"{number}.json", max_frames=number
    )


def cost_of_a_frame(short: TrackingSummary, long: TrackingSummary) -> dict[str, Any]:
    """Figures of :func:`benchmark_pipeline`, of the frames by which a run is longer than another."""
    number = long.frames - short.frames
    before = short.stages.seconds
    stages = {name: (seconds - before.get(name, 0.0)) / number for name, seconds in long.stages.seconds.items()}
    threads = _by_thread(stages)
    seconds = (long.seconds - short.seconds) / number
    return {
        "detections": (long.detections - short.detections) / number,
        "seconds": seconds,
        "stages": stages,
        "threads": threads,
        "to_largest": seconds / max(threads.values()),
        "to_sum": seconds / sum(threads.values()),
    }


def _by_thread(stages: Mapping[str, float]) -> dict[str, float]:
    return {thread: sum(stages.get(name, 0.0) for name in names) for thread, names in THREADS.items()}


def write_disks(path: Path, length: int) -> Path:
    """Write a video of disks with stripes, which move over smooth noise."""
    rng = np.random.default_rng(0)
    background = cv2.resize(rng.integers(0, 256, (18, 32, 3), dtype=np.uint8), (_WIDTH, _HEIGHT))
    centers = rng.uniform(0, (_WIDTH, _HEIGHT), (_NUM_OBJECTS, 2))
    speeds = rng.uniform(-4, 4, (_NUM_OBJECTS, 2))
    colors = rng.integers(0, 256, (_NUM_OBJECTS, 3)).tolist()
    with VideoWriter(path, _FPS) as writer:
        for index in range(length):
            frame = background.copy()
            for (x, y), color in zip(((centers + index * speeds) % (_WIDTH, _HEIGHT)).astype(int).tolist(), colors):
                cv2.circle(frame, (x, y), 36, color, -1)
                cv2.line(frame, (x - 30, y), (x + 30, y), (255, 255, 255), 6)
            writer.write(frame)
    return path


def pipeline_table(result: Mapping[str, Any]) -> str:
    """Milliseconds a frame of the stages, of the threads, and of the whole."""
    stages = ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in result["stages"].items())
    threads = ", ".join(f"{name} {1000 * seconds:.1f}" for name, seconds in result["threads"].items())
    return (
        f"ms a frame, of frames {result['frames'][0]} to {result['frames'][1]}, "
        f"{result['detections']:.1f} detections a frame, {result['hardware']}\n"
        f"stages: {stages}\nthreads: {threads}\n"
        f"whole: {1000 * result['seconds']:.1f}, {result['to_largest']:.2f} of the largest thread, "
        f"{result['to_sum']:.2f} of the sum"
    )
