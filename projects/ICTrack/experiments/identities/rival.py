"""idtracker.ai, installed by itself, run on a video as a command: its trajectories, CPU time and memory."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from detectron2.config import CfgNode

from ictrack.data.video_io import open_frames
from ictrack.engine.identify import MIN_LENGTH
from ictrack.engine.video_tracker import VideoTracker
from ictrack.engine.whole_video import WholeVideo

from .reference import continuity, read_trajectories, reference_objects
from .rows import Cost, row

RIVAL = "idtrackerai"
_TRAJECTORIES = "*/trajectories/**/trajectories.csv"


class RivalError(RuntimeError):
    """A run of idtracker.ai without trajectories; the message has the end of what it printed."""


def run_rival(command: Path, video: Path, cfg: CfgNode, num_instances: int) -> tuple[np.ndarray, Cost]:
    """Trajectories (F, N, 2), and what they cost, of one thread, with the foreground's threshold and smallest area.

    Its accumulation protocol is used: its default, contrastive learning, did not end on two CPU cores.

    Args:
        command: The executable ``idtrackerai``.
        video: Video.
        cfg: Configuration of the foreground.
        num_instances: Number of objects.

    Raises:
        RivalError: If it fails.
    """
    foreground = cfg.MODEL.FOREGROUND
    with tempfile.TemporaryDirectory() as folder:
        options = [
            "--track", "--video_paths", video.resolve(), "--output_dir", folder, "--data_policy", "trajectories",
            "--intensity_ths", 0, foreground.THRESHOLD, "--area_ths", foreground.MIN_AREA, 100_000,
            "--number_of_animals", num_instances, "--device", "cpu", "--number_of_parallel_workers", 1,
            "--disable_contrastive", True,
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(  # noqa: S603  the user's own command, no shell
            [str(command.absolute()), *map(str, options)],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", "QT_QPA_PLATFORM": "offscreen"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = sorted(Path(folder).glob(_TRAJECTORIES))
        if not found:  # after a success it may end with 1, too: where there is no network for its statistics
            raise RivalError(f"{command} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return read_trajectories(found[0]), Cost(seconds, after.ru_maxrss / 1024)


def rival_rows(cfg: CfgNode, video: Path, trajectories: np.ndarray, cost: Cost) -> Iterator[dict[str, object]]:
    """Rows of trajectories: the share of the detections of certain tracklets that have the identity of their
    tracklet's other ones."""
    footage = WholeVideo.detect(VideoTracker.from_config(cfg), lambda: open_frames(video))
    objects = reference_objects(footage, footage.certain_tracklets(MIN_LENGTH), trajectories)
    yield row(RIVAL, 0, "continuity", *continuity(objects), cost)
