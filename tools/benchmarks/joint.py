"""Cost of training on unlabeled video in addition to labeled images."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from detectron2.utils.events import EventStorage

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer

# Steps before the measurement.
_WARMUP = 2


def benchmark_joint_step(*, image_config: str, joint_config: str, repeats: int, opts: Sequence[str]) -> dict[str, Any]:
    """CPU time of alternating training steps of two configurations, including data loading, in one process.

    Args:
        image_config: Configuration with labeled images only.
        joint_config: Configuration with as many labeled images, and unlabeled video.
        repeats: Number of measured steps of each.
        opts: KEY VALUE pairs for both.

    Returns:
        "images" (that go through the network in a step) and median "cpu_ms" of both configurations; "step_ratio" of the
        steps, and "image_ratio" of the time per image.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainers = {}
        for name, config in (("image", image_config), ("joint", joint_config)):
            paths = ["OUTPUT_DIR", folder, "DATALOADER.NUM_WORKERS", "0"]
            cfg = load_config(config, [*paths, "MODEL.VIDEO_EMBEDDING.HEALTH_PERIOD", "0", *opts])
            register_configured_datasets(cfg)
            trainers[name] = ICTrackTrainer(cfg)
            trainers[name].model.train()
        times: dict[str, list[float]] = {name: [] for name in trainers}
        with EventStorage():
            for step in range(_WARMUP + repeats):
                for name, trainer in trainers.items():
                    start = time.process_time()
                    trainer._trainer.iter = trainer.iter = step
                    trainer.run_step()
                    if step >= _WARMUP:
                        times[name].append(1000 * (time.process_time() - start))
    result: dict[str, Any] = {}
    for name, trainer in trainers.items():
        images = _num_images(trainer.cfg, is_joint=name == "joint")
        result[name] = {"images": images, "cpu_ms": statistics.median(times[name]), "repeats": repeats}
    result["step_ratio"] = result["joint"]["cpu_ms"] / result["image"]["cpu_ms"]
    result["image_ratio"] = result["step_ratio"] * result["image"]["images"] / result["joint"]["images"]
    return result


def _num_images(cfg: Any, is_joint: bool) -> int:
    """Number of images of a step: labeled views and frames."""
    views = cfg.SOLVER.IMS_PER_BATCH
    unlabeled = cfg.INPUT.UNLABELED
    return views + is_joint * round(views * unlabeled.PER_LABELED_IMAGE) * unlabeled.NUM_FRAMES
