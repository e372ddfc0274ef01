"""A real clip, tracked by a published detector and frozen features: what works before anything is trained."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from synthetic.characters import real_clips

# Frames that are tracked.
NUM_FRAMES = 80


def track_real_clip(path: Path, num_frames: int = NUM_FRAMES) -> None:
    """Track people, animals and things in the shipped real clip by the command that a user gives, and draw them.

    It runs in a process of its own: the workers that generate data are forked, and must not inherit threads.

    Args:
        path: mp4 to write.
        num_frames: Number of frames after which to stop.

    Raises:
        CalledProcessError: If the command fails.
    """
    arguments = ["track", "--input", str(real_clips()[-1]), "--output", str(path), "--max-frames", str(num_frames)]
    print(f"quick-start: ictrack {shlex.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-W", "ignore", "-m", "ictrack", *arguments], check=True)
