"""The soak of resumed trainings, with two kills."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_killed_trainings_end_as_a_whole_one(tmp_path):
    command = [sys.executable, "tools/soak.py", "resume", "--kills", "2", "--output", str(tmp_path / "soak")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].startswith("2 kills in ")
