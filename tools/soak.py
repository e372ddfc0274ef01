#!/usr/bin/env python
"""Kill a training at random moments with SIGKILL, resume it, and compare its last checkpoint with that of a whole run.

A tiny model learns from made-up stills and video, with all that a training keeps from step to step: workers of the
loader, replayed batches, a moving average of the weights, a schedule, AdamW. Exit status 1 if a training does not go on
or ends otherwise. Works where processes can fork.

example:
  python tools/soak.py resume --kills 100 --output output/soak
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ictrack.checkpoint import load_weights_file
from ictrack.engine.setup import train_or_evaluate
from ictrack.structures.command_line import positive_int, run_command

_BASE = Path(__file__).resolve().parents[1] / "configs/quickstart/solo_lite0_joint.yaml"
_CONFIG = """
_BASE_: "{base}"
SEED: 1
MODEL:
  {{DEVICE: "cpu", TIMM: {{WEIGHTS: ""}}, SOLO: {{NUM_CLASSES: 1, CONV_DIM: 16}}, FPN: {{OUT_CHANNELS: 16}},
   VIDEO_EMBEDDING: {{HEALTH_PERIOD: 0}}}}
INPUT: {{CROP_SIZE: [64, 96], UNLABELED: {{SIZE: [64, 96]}}}}
SOLVER: {{IMS_PER_BATCH: 4, MAX_ITER: 15, CHECKPOINT_PERIOD: 3}}
DATALOADER: {{NUM_WORKERS: 2, REPLAY: {{NUM_BATCHES: 4}}}}
DATASETS:
  REGISTER:
    - ["soak_stills", "coco", "{root}/stills.json", "{root}"]
    - ["soak_videos", "videos", "{root}/videos"]
  TRAIN: ("soak_stills",)
  UNLABELED: ("soak_videos",)
  TEST: ()
"""


def write_data(root: Path) -> Path:
    """Write stills with bright squares, a video of them, and the configuration that names both; its path."""
    rng, images, annotations = np.random.default_rng(0), [], []
    (root / "videos" / "a").mkdir(parents=True)
    for i in range(8):
        x, y = (int(v) for v in rng.integers(4, (64, 32)))
        picture = rng.integers(0, 60, (64, 96, 3), dtype=np.uint8)
        picture[y : y + 24, x : x + 24] = rng.integers(150, 255, 3)
        cv2.imwrite(str(root / f"{i}.png"), picture)
        cv2.imwrite(str(root / "videos" / "a" / f"{i:05d}.png"), np.roll(picture, 3 * i, axis=1))
        images.append({"id": i, "file_name": f"{i}.png", "height": 64, "width": 96})
        square = {"bbox": [x, y, 24, 24], "segmentation": [[x, y, x + 24, y, x + 24, y + 24, x, y + 24]], "area": 576}
        annotations.append({"id": i + 1, "image_id": i, "category_id": 1, **square})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "square"}]}
    (root / "stills.json").write_text(json.dumps(content))
    (root / "config.yaml").write_text(_CONFIG.format(base=_BASE, root=root))
    return root / "config.yaml"


def digest(value: Any) -> str:
    """SHA-256 of a checkpoint's content: dictionaries, lists, tensors and plain values."""
    if isinstance(value, dict):
        value = [part for key in sorted(value, key=str) for part in (key, value[key])]
    text = "".join(map(digest, value)) if isinstance(value, (list, tuple)) else repr(value)
    is_tensor = isinstance(value, torch.Tensor)
    return hashlib.sha256(value.flatten().view(torch.uint8).numpy() if is_tensor else text.encode()).hexdigest()


class Training:
    """Training in a process of its own group, forked from this one so that nothing is imported again."""

    def __init__(self, config: Path, folder: Path) -> None:
        args = argparse.Namespace(config_file=str(config), opts=["OUTPUT_DIR", str(folder)])
        args.resume, args.eval_only, args.num_gpus, args.num_machines = True, False, 1, 1
        self._log = folder.with_suffix(".log")
        self._process = multiprocessing.get_context("fork").Process(target=self._run, args=(args,))
        self._process.start()

    def _run(self, args: argparse.Namespace) -> None:
        os.setsid()
        with self._log.open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        sys.exit(run_command(lambda: train_or_evaluate(args) and None))

    def killed_after(self, seconds: float) -> bool:
        """Whether it was killed after so many seconds; it may have ended before."""
        self._process.join(seconds)
        if self._process.exitcode is not None:
            return False
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.join()
        return True

    def end(self) -> None:
        """Wait for the end. Raises ValueError if it is not a finished training's."""
        self._process.join()
        if self._process.exitcode:
            raise ValueError(f"{self._log}: a training ended with status {self._process.exitcode}")


def soak_resume(root: Path, num_kills: int) -> int:
    """Kill ``num_kills`` times, each within a whole run's time after a start, in as many runs as it takes."""
    torch.set_num_threads(1)
    config, rng = write_data(root), random.Random(0)  # noqa: S311  moments, no secret
    whole, start = Training(config, root / "whole"), time.monotonic()
    whole.end()
    duration = time.monotonic() - start
    expected, kills, runs, equal = digest(load_weights_file(root / "whole" / "model_final.pth")), 0, 0, 0
    while kills < num_kills:
        folder = root / f"run_{runs}"
        training = Training(config, folder)
        while kills < num_kills and training.killed_after(rng.uniform(0, duration)):
            kills += 1
            training = Training(config, folder)
        training.end()
        same = digest(load_weights_file(folder / "model_final.pth")) == expected
        runs, equal = runs + 1, equal + same
        print(f"{kills} kills: run {runs} {'equals' if same else 'DIFFERS FROM'} the whole one", flush=True)
        if same:
            shutil.rmtree(folder)
    print(f"{kills} kills in {runs} runs, of which {equal} equal the whole one, which takes {duration:.1f} s")
    return int(equal < runs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["resume"], help="what is tried")
    parser.add_argument("--kills", type=positive_int, default=100, help="number of kills (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="new folder for the data, the runs and their logs")
    args = parser.parse_args()
    return run_command(lambda: soak_resume(args.output, args.kills))


if __name__ == "__main__":
    sys.exit(main())
