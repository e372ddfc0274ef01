"""Tiny training on made-up stills and video, in processes that can be killed at any moment."""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ictrack.engine.launch import launch_training
from ictrack.structures.command_line import run_command

_BASE = Path(__file__).resolve().parents[2] / "configs/quickstart/solo_lite0_joint.yaml"
_CONFIG = """
_BASE_: "{base}"
SEED: 1
MODEL:
  {{DEVICE: "cpu", TIMM: {{WEIGHTS: ""}}, SOLO: {{NUM_CLASSES: 1, CONV_DIM: 16}}, FPN: {{OUT_CHANNELS: 16}},
   VIDEO_EMBEDDING: {{HEALTH_PERIOD: 0}}}}
INPUT: {{CROP_SIZE: [64, 96], UNLABELED: {{SIZE: [64, 96]}}}}
SOLVER: {{IMS_PER_BATCH: 4, MAX_ITER: 16, CHECKPOINT_PERIOD: 3}}
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
    """Training that goes on in a folder, in processes of their own groups, forked so that nothing is imported again.

    Args:
        config: Configuration.
        folder: Output folder; what is printed goes to a file beside it.
        main: Function of a training's arguments that each process runs.
        opts: KEY VALUE pairs over the configuration.
        num_processes: Number of processes that train together.
    """

    def __init__(
        self,
        config: Path,
        folder: Path,
        main: Callable[[argparse.Namespace], Any],
        opts: tuple[str, ...] = (),
        num_processes: int = 1,
    ) -> None:
        args = argparse.Namespace(config_file=str(config), opts=["OUTPUT_DIR", str(folder), *opts], dist_url="auto")
        args.resume, args.eval_only, args.num_gpus, args.num_machines, args.machine_rank = True, False, 1, 1, 0
        self._log = folder.with_suffix(".log")
        port = _free_port() if num_processes > 1 else 0
        self._processes = [
            multiprocessing.get_context("fork").Process(target=self._run, args=(main, args, rank, num_processes, port))
            for rank in range(num_processes)
        ]
        for process in self._processes:
            process.start()

    def _run(self, main: Callable, args: argparse.Namespace, rank: int, num_processes: int, port: int) -> None:
        os.setsid()
        with self._log.open("a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        if num_processes > 1:  # as torchrun starts them
            place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": num_processes, "LOCAL_WORLD_SIZE": num_processes}
            variables = {**place, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.environ.update({name: str(value) for name, value in variables.items()})
        sys.exit(run_command(lambda: launch_training(args, main)))

    def killed_after(self, seconds: float) -> bool:
        """Whether it was killed after so many seconds; it may have ended before."""
        end = time.monotonic() + seconds
        for process in self._processes:
            process.join(max(end - time.monotonic(), 0))
        if all(process.exitcode is not None for process in self._processes):
            return False
        for process in self._processes:
            if process.exitcode is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process in self._processes:
            process.join()
        return True

    def end(self) -> None:
        """Wait for the end. Raises ValueError if it is not a finished training's."""
        for process in self._processes:
            process.join()
            if process.exitcode:
                raise ValueError(f"{self._log}: a training ended with status {process.exitcode}")


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
