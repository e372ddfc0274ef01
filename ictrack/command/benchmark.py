"""Measure speed and memory of ICTrack's parts, by tools/benchmark.py of a checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import ictrack

SCRIPT = Path(ictrack.__file__).resolve().parents[1] / "tools" / "benchmark.py"


def run(argv: Sequence[str]) -> int:
    if not SCRIPT.is_file():
        raise FileNotFoundError("benchmarks are in tools/ of the repository, not in an installed ICTrack")
    return subprocess.call([sys.executable, str(SCRIPT), *argv])  # noqa: S603  the user's own arguments, no shell
