"""Commands in a process that finds the library and nothing of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from quick_python import run_python

ROOT = Path(__file__).resolve().parents[2]


def track_alone(output: Path, clip: Path, *flags: str | Path) -> None:
    """Track a clip by the ``config.yaml`` that a quick-start left in ``output``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for name in ("synthetic", "experiments"):
        command = [sys.executable, "-c", f"import {name}"]
        assert subprocess.run(command, env=environment, stderr=subprocess.DEVNULL).returncode == 1
    drawn = output / "alone.mp4"
    done = run_python(
        ROOT / "tools" / "track_video.py", "--config-file", output / "config.yaml", "--input", clip,
        "--output", drawn, *flags, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cannot be read" not in done.stderr + done.stdout  # its data sets are found from any folder
    assert drawn.stat().st_size > 0
