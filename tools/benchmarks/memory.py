"""Peak memory of tracking through a video of a given length."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
from detectron2.config import CfgNode

from ictrack import add_ictrack_config  # noqa: F401  registers the models in the fresh process
from ictrack.data.frame_stream import FrameStream
from ictrack.data.video_io import open_frames
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker


class RepeatedStream(FrameStream):
    """Video repeated up to ``length`` frames."""

    def __init__(self, source: str | os.PathLike, length: int):
        self.source = source
        self.length: int = length
        with open_frames(source) as frames:
            self.name, self.height, self.width, self.fps = frames.name, frames.height, frames.width, frames.fps

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        index = 0
        while index < self.length:
            with open_frames(self.source) as frames:
                for _, frame in frames:
                    if index == self.length:
                        return
                    yield index, frame
                    index += 1


def peak_memory(cfg: CfgNode, source: str | os.PathLike, num_frames: int) -> int:
    """Largest resident memory in bytes of a fresh process that tracks ``num_frames`` frames of the repeated ``source``.

    As ``ictrack track``, the process draws, writes the mp4 and saves the tracks.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_track_and_measure, (cfg, source, num_frames))


def _track_and_measure(cfg: CfgNode, source: str | os.PathLike, num_frames: int) -> int:
    tracker = VideoTracker.from_config(cfg)
    with tempfile.TemporaryDirectory() as folder:
        output, tracks = os.path.join(folder, "tracked.mp4"), os.path.join(folder, "tracks.json")
        track_video(tracker, RepeatedStream(source, num_frames), output, save_tracks=tracks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # kilobytes on Linux
