"""Commands in a process that finds the library and nothing of the project."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_alone(*command: str | Path) -> subprocess.CompletedProcess:
    """``python *command`` with ``ictrack`` on the path, but neither ``experiments`` nor ``synthetic``."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *map(str, command)], env=environment, capture_output=True, text=True
    )


def track_alone(output: Path, clip: Path, *flags: str | Path) -> None:
    """Track a clip by the ``config.yaml`` that a quick-start left in ``output``."""
    assert run_alone("-c", "import synthetic").returncode == run_alone("-c", "import experiments").returncode == 1
    drawn = output / "alone.mp4"
    done = run_alone(
        ROOT / "tools" / "track_video.py", "--config-file", output / "config.yaml", "--input", clip,
        "--output", drawn, *flags,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "cannot be read" not in done.stderr + done.stdout  # its data sets are found from any folder
    assert drawn.stat().st_size > 0
