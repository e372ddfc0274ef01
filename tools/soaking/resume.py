"""Trainings that are killed and resumed, against one that is not."""

from __future__ import annotations

import random
import shutil
import time
from pathlib import Path

from ictrack.checkpoint import load_weights_file
from ictrack.engine.setup import train_or_evaluate

from .training import Training, digest, write_data


def soak_resume(root: Path, num_kills: int) -> int:
    """Kill ``num_kills`` times, each within a whole run's time after a start, in as many runs as it takes."""
    config, rng = write_data(root), random.Random(0)  # noqa: S311  moments, no secret
    whole, start = Training(config, root / "whole", train_or_evaluate), time.monotonic()
    whole.end()
    duration = time.monotonic() - start
    expected, kills, runs, equal = digest(load_weights_file(root / "whole" / "model_final.pth")), 0, 0, 0
    while kills < num_kills:
        folder = root / f"run_{runs}"
        training = Training(config, folder, train_or_evaluate)
        while kills < num_kills and training.killed_after(rng.uniform(0, duration)):
            kills += 1
            training = Training(config, folder, train_or_evaluate)
        training.end()
        same = digest(load_weights_file(folder / "model_final.pth")) == expected
        runs, equal = runs + 1, equal + same
        print(f"{kills} kills: run {runs} {'equals' if same else 'DIFFERS FROM'} the whole one", flush=True)
        if same:
            shutil.rmtree(folder)
    print(f"{kills} kills in {runs} runs, of which {equal} equal the whole one, which takes {duration:.1f} s")
    return int(equal < runs)
