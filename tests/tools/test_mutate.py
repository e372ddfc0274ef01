"""Planted mistakes: the list fits the tree, and a mistake that no test finds is told."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutate import ROOT, Mistake, is_caught, read_mistakes


def test_the_list_fits_the_tree():
    mistakes = read_mistakes()
    assert len(mistakes) >= 40 and len(set(mistakes)) == len(mistakes)
    for mistake in mistakes:
        text = (ROOT / mistake.file).read_text(encoding="utf-8")
        assert mistake.planted_in(text) != text
        assert all((ROOT / test).is_file() for test in mistake.tests)


def test_every_part_has_some():
    parts = {Path(mistake.file).parts[1] for mistake in read_mistakes()}
    assert parts >= {"losses", "tracking", "evaluation", "modeling", "structures", "data", "engine", "checkpoint"}


# A process of its own: a fork of one that has threads, as a worker of the tests does, may wait for a lock for ever.
_SCRIPT = """
from pathlib import Path
from mutate import Mistake, is_caught, passes

tree, log, tests = Path.cwd(), Path("log"), ("test_planted_sum.py",)
print(is_caught(Mistake("planted_sum.py", "x + y", "x - y - 1", tests), tree, log))
print(is_caught(Mistake("planted_sum.py", "x + y", "x - y", tests), tree, log))
print(passes(tree, tests, log))
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot fork")
def test_a_mistake_is_caught_or_missed(tmp_path):
    (tmp_path / "planted_sum.py").write_text("def total(x, y):\n    return x + y\n")
    (tmp_path / "test_planted_sum.py").write_text(
        "from planted_sum import total\n\n\ndef test_total():\n    assert total(2, 0) == 2\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools")}
    command = [sys.executable, "-c", _SCRIPT]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert run.stdout.split() == ["True", "False", "True"], run.stdout + run.stderr


def test_a_mistake_whose_place_is_gone(tmp_path):
    (tmp_path / "planted_sum.py").write_text("def total(x, y):\n    return x + y\n")
    with pytest.raises(ValueError, match="there 0 times, not once"):
        is_caught(Mistake("planted_sum.py", "x * y", "x", ("test_planted_sum.py",)), tmp_path, tmp_path / "log")
