"""The soaks of resumed trainings, with few kills."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from soaking.processes import seen_samples

ROOT = Path(__file__).resolve().parents[2]


def test_killed_trainings_end_as_a_whole_one(tmp_path):
    command = [sys.executable, "tools/soak.py", "resume", "--kills", "2", "--output", str(tmp_path / "soak")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].startswith("2 kills in ")


def test_one_process_goes_on_where_two_were_killed(tmp_path):
    command = [sys.executable, "tools/soak.py", "processes", "--kills", "1", "--output", str(tmp_path / "soak")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "of which" in result.stdout and "saw the 32 samples of the whole one" in result.stdout


def test_steps_that_were_lost_and_made_again_count_once(tmp_path):
    """Two processes are killed in the step from sample 8 on; one goes on at the checkpoint before sample 4."""
    (tmp_path / "notes_2_0.jsonl").write_text("[0, [1, 2]]\n[4, [5, 6]]\n[8, [9, 10]]\n")
    (tmp_path / "notes_2_1.jsonl").write_text("[0, [3, 4]]\n[4, [7, 8]]\n")
    assert seen_samples(tmp_path) == Counter(range(1, 11))
    (tmp_path / "notes_1_0.jsonl").write_text("[4, [5, 6]]\n[6, [7, 8]]\n[8, [9, 9]]\n")
    assert seen_samples(tmp_path) == Counter([*range(1, 9), 9, 9])
