"""train_net.py end to end on a handful of made-up images: train, resume, evaluate, two processes."""

import argparse
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from detectron2.utils import comm
from forked import fork_processes
from pycocotools import mask as coco_mask
from quick_python import run_python

from ictrack.checkpoint.weights_file import load_weights_file
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.launch import launch_training, parse_training_arguments
from ictrack.engine.process_group import launch_processes
from ictrack.engine.setup import load_config, setup
from ictrack.engine.trainer import ICTrackTrainer, rescaled_iterations

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "configs" / "quickstart" / "solo_lite0.yaml"
SMALL = [
    "MODEL.DEVICE", "cpu", "MODEL.TIMM.WEIGHTS", "", "MODEL.SOLO.NUM_CLASSES", "1", "MODEL.SOLO.CONV_DIM", "16",
    "MODEL.FPN.OUT_CHANNELS", "16", "INPUT.CROP_SIZE", "(64,96)", "SOLVER.IMS_PER_BATCH", "4",
    "DATALOADER.NUM_WORKERS", "0", "DATALOADER.FILTER_EMPTY_ANNOTATIONS", "False",
]  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """Six images with two bright squares each, but for one without any, in COCO format."""
    root = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for image_id in range(6):
        picture = rng.integers(0, 60, (64, 96, 3), dtype=np.uint8)
        for slot in range(0 if image_id == 3 else 2):
            mask = np.zeros((64, 96), np.uint8)
            x, y = 8 + 44 * slot, 10 + 4 * image_id
            mask[y : y + 24, x : x + 24] = 1
            picture[mask > 0] = rng.integers(150, 255, 3)
            rle = coco_mask.encode(np.asfortranarray(mask))
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image_id, "category_id": 5, "iscrowd": 0, "area": 576,
                    "bbox": [x, y, 24, 24], "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                }
            )  # fmt: skip
        cv2.imwrite(str(root / f"{image_id}.png"), picture)
        images.append({"id": image_id, "file_name": f"{image_id}.png", "height": 64, "width": 96})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 5, "name": "square"}]}
    (root / "instances.json").write_text(json.dumps(content))
    return root


def data_options(dataset, output):
    entry = repr([["squares", "coco", str(dataset / "instances.json"), str(dataset)]])
    return [
        "DATASETS.REGISTER", entry, "DATASETS.TRAIN", "('squares',)", "DATASETS.TEST", "('squares',)",
        "OUTPUT_DIR", str(output),
    ]  # fmt: skip


def run(dataset, output, *extra, flags=(), script="tools/train_net.py"):
    options = [*SMALL, *data_options(dataset, output), *extra]
    command = [script, "--config-file", str(CONFIG), *flags, *options]
    result = run_python(*command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout + result.stderr


def train(*argv):
    """Train in this process, or in processes that it starts."""
    launch_training(parse_training_arguments(["--config-file", str(CONFIG), *argv], prog="train", description=None))


def training_lines(output):
    lines = [json.loads(line) for line in (output / "metrics.json").read_text().splitlines()]
    return [line for line in lines if "loss_mask" in line]  # the last evaluation has a line of its own


def test_train_resume_and_evaluate(dataset, tmp_path):
    run(dataset, tmp_path, "SOLVER.MAX_ITER", "3", "SOLVER.CHECKPOINT_PERIOD", "2")
    assert (tmp_path / "model_final.pth").exists()
    options = [*SMALL, *data_options(dataset, tmp_path), "SOLVER.MAX_ITER", "5"]
    train("--resume", *options)
    assert "Starting training from iteration 3" in (tmp_path / "log.txt").read_text()
    last = training_lines(tmp_path)[-1]
    assert last["iteration"] == 4
    assert {"loss_category", "loss_mask", "loss_embed_contrast"} <= set(last)

    log = run(
        dataset, tmp_path, "MODEL.WEIGHTS", str(tmp_path / "model_final.pth"), flags=["--eval-only"],
        script="projects/ICTrack/train_net.py",
    )  # fmt: skip
    assert "copypaste" in log


def test_without_a_period_nothing_is_evaluated(dataset, tmp_path):
    options = [*SMALL, *data_options(dataset, tmp_path), "SOLVER.MAX_ITER", "1"]
    for average in ("0.0", "0.9"):
        opts = [*options, "TEST.EVAL_PERIOD", "0", "SOLVER.EMA_DECAY", average]
        trainer = ICTrackTrainer(setup(argparse.Namespace(config_file=str(CONFIG), opts=opts)))
        trainer.train()
        assert not hasattr(trainer, "_last_eval_results")


def test_a_run_goes_on_without_imagenet_weights(dataset, tmp_path):
    opts = [*SMALL, *data_options(dataset, tmp_path), "MODEL.TIMM.WEIGHTS", "package:absent"]
    args = argparse.Namespace(config_file=str(CONFIG), opts=opts, resume=True)
    assert setup(args).MODEL.TIMM.WEIGHTS == "package:absent"  # nothing to go on from
    (tmp_path / "last_checkpoint").write_text("model_0000001.pth")
    assert setup(args).MODEL.TIMM.WEIGHTS == ""


def train_and_compare_weights(args):
    """What each of two processes runs: train, then compare all weights with the other process's."""
    cfg = setup(args)
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=False)
    trainer.train()
    weights = {key: value for key, value in trainer.checkpointer.model.state_dict().items() if "running" not in key}
    first, second = comm.all_gather(weights)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert all(torch.isfinite(value).all() for value in first.values() if value.is_floating_point())


def test_two_processes_over_gloo_keep_the_same_weights(dataset, tmp_path):
    """Batches of one still a process: sooner or later one of them has no instance, and nobody may wait for it."""
    options = [*SMALL, *data_options(dataset, tmp_path), "SOLVER.MAX_ITER", "6"]
    args = argparse.Namespace(config_file=str(CONFIG), opts=options)
    launch_processes(train_and_compare_weights, 2, args=(args,))


def stopped_run(dataset, output, world_size, iterations, *options):
    """A folder as a run of 16 iterations with one process, or 8 with two, leaves it when it stops after some."""
    extra = ["SOLVER.MAX_ITER", "16", "SOLVER.REFERENCE_WORLD_SIZE", "1", "SOLVER.CHECKPOINT_PERIOD", "4", *options]
    options = [*SMALL, *data_options(dataset, output), *extra]
    cfg = load_config(str(CONFIG), options)
    register_configured_datasets(cfg)
    trainer = ICTrackTrainer(cfg)
    trainer.iter, trainer.scheduler.last_epoch = iterations - 1, iterations
    trainer.scheduler.base_lrs = [lr * world_size for lr in trainer.scheduler.base_lrs]
    state = {**trainer.state_dict(), "world_size": world_size}
    trainer.state_dict = lambda: state
    output.mkdir(exist_ok=True)
    trainer.checkpointer.save(f"model_{iterations - 1:07d}")
    return cfg, extra


def test_two_processes_go_on_where_one_stopped(dataset, tmp_path, monkeypatch):
    """12 of 16 iterations are 6 of 8; nobody names a port."""
    fork_processes(monkeypatch)
    _, extra = stopped_run(dataset, tmp_path, 1, 12)
    options = [*SMALL, *data_options(dataset, tmp_path), *extra]
    train("--num-gpus", "2", "--resume", *options)
    log = (tmp_path / "log.txt").read_text()
    assert "Starting training from iteration 6" in log and "a run with 1 processes, this run has 2" in log
    assert training_lines(tmp_path)[-1]["iteration"] == 7
    assert load_weights_file(tmp_path / "model_final.pth")["trainer"]["world_size"] == 2


@pytest.mark.parametrize(
    ("world_size", "done", "expected"), [(2, 6, 12), (4, 3, 12), (1, 12, 12), (3, 5, 15), (2, 8, 16), (1, 16, 16)]
)
def test_one_process_goes_on_where_several_stopped(dataset, tmp_path, caplog, world_size, done, expected):
    cfg, _ = stopped_run(dataset, tmp_path, world_size, done)
    trainer = ICTrackTrainer(cfg)
    fresh = trainer.scheduler.get_lr()
    with caplog.at_level("WARNING"):
        trainer.resume_or_load(resume=True)
    assert (trainer.start_iter, trainer.scheduler.last_epoch) == (expected, expected)
    assert (f"a run with {world_size} processes" in caplog.text) == (world_size != 1)
    assert trainer.scheduler.base_lrs == [group["initial_lr"] for group in trainer.optimizer.param_groups]
    trainer.scheduler.last_epoch = 0
    assert trainer.scheduler.get_lr() == fresh  # the learning rate of one process
    if expected == trainer.max_iter:  # the run was finished, but for its last file
        trainer.train()
        assert load_weights_file(tmp_path / "model_final.pth")["trainer"]["iteration"] == 15


def test_samples_are_never_left_out_where_processes_do_not_divide_them():
    assert [rescaled_iterations(*case) for case in ((12, 1, 2), (6, 2, 1), (7, 2, 3), (15, 1, 2))] == [6, 12, 4, 7]


def test_iterations_stay_where_the_batch_does_not_depend_on_processes(dataset, tmp_path):
    cfg, _ = stopped_run(dataset, tmp_path, 2, 6, "SOLVER.REFERENCE_WORLD_SIZE", "0")
    trainer = ICTrackTrainer(cfg)
    trainer.resume_or_load(resume=True)
    assert trainer.start_iter == 6
