"""Trainings of two processes that are killed and go on with one: every sample must be learnt from as in a whole run."""

from __future__ import annotations

import argparse
import json
import random
import shutil
import time
import zlib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from detectron2.utils import comm
from detectron2.utils.events import get_event_storage
from torch import nn

from ictrack.checkpoint import load_weights_file
from ictrack.engine.setup import setup
from ictrack.engine.trainer import ICTrackTrainer

from .training import Training, write_data

# Batches of two processes would be drawn from other groups of pictures, and replayed batches hold samples of before.
_OPTS = ("DATALOADER.ASPECT_RATIO_GROUPING", "False", "DATALOADER.REPLAY.TIMES", "1")


class NotingTrainer(ICTrackTrainer):
    """Trainer whose processes each note the samples of every step, before it, in a file: those of two and of one."""

    @classmethod
    def build_model(cls, cfg: Any) -> nn.Module:
        model = super().build_model(cfg)
        path = Path(cfg.OUTPUT_DIR) / f"notes_{comm.get_world_size()}_{comm.get_rank()}.jsonl"

        def note(_: nn.Module, inputs: tuple[list[dict[str, Any]]]) -> None:
            first = get_event_storage().iter * cfg.SOLVER.IMS_PER_BATCH
            samples = [zlib.crc32(sample["image"].numpy().tobytes()) for sample in inputs[0]]
            with path.open("a") as file:
                file.write(json.dumps([first, samples]) + "\n")

        model.register_forward_pre_hook(note)
        return model


def train_and_note(args: argparse.Namespace) -> None:
    trainer = NotingTrainer(setup(args))
    trainer.resume_or_load(resume=True)
    trainer.train()


def seen_samples(folder: Path) -> Counter[int]:
    """Samples that a training has learnt from, with their numbers.

    Steps of two processes that are in no checkpoint were lost, and one process has made them again.
    """
    steps: dict[int, list[int]] = {}
    for num_processes in (2, 1):
        found: dict[int, list[int]] = defaultdict(list)
        for path in folder.glob(f"notes_{num_processes}_*.jsonl"):
            for first, samples in map(json.loads, path.read_text().splitlines()):
                found[first] += samples
        steps = {first: samples for first, samples in steps.items() if not found or first < min(found)} | found
    return Counter(sample for samples in steps.values() for sample in samples)


def soak_processes(root: Path, num_kills: int) -> int:
    """Kill ``num_kills`` trainings of two processes, each within a whole run's time, and let one process go on."""
    config, rng = write_data(root), random.Random(0)  # noqa: S311  moments, no secret

    def begun(folder: Path, num_processes: int) -> Training:
        return Training(config, folder, train_and_note, _OPTS, num_processes)

    begun(root / "whole", 1).end()
    expected, number = seen_samples(root / "whole"), num_samples(root / "whole")
    start = time.monotonic()
    begun(root / "pair", 2).end()
    duration = time.monotonic() - start
    kills, runs, equal = 0, 0, 0
    while kills < num_kills:
        folder = root / f"run_{runs}"
        killed = begun(folder, 2).killed_after(rng.uniform(0, duration))
        begun(folder, 1).end()
        found = num_samples(folder)
        same = found == number and seen_samples(folder) == expected
        kills, runs, equal = kills + killed, runs + 1, equal + same
        print(f"{kills} kills: run {runs} {'as' if same else 'NOT as'} the whole one, {found} samples", flush=True)
        if same:
            shutil.rmtree(folder)
    print(f"{kills} kills in {runs} runs, of which {equal} saw the {number} samples of the whole one")
    return int(equal < runs)


def num_samples(folder: Path) -> int:
    """Number of samples of labeled data that a finished training says it has seen."""
    return load_weights_file(folder / "model_final.pth")["trainer"]["_trainer"]["samples"]
