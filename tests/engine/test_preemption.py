"""SIGTERM: every process ends after its step with a status of its own, and none hangs."""

import argparse
import multiprocessing
import os
import signal
import threading
import time

import pytest
from color_model import color_config, write_scenes
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import HookBase
from detectron2.utils import comm
from forked import launch_forked

from ictrack.checkpoint.weights_file import load_weights_file
from ictrack.data.datasets.unlabeled_videos import register_unlabeled_videos
from ictrack.engine import preemption
from ictrack.engine.launch import TrainingError
from ictrack.engine.preemption import PREEMPTED, CheckpointOnSigterm
from ictrack.engine.trainer import ICTrackTrainer

NAME = "preemption_test_videos"


@pytest.fixture(autouse=True)
def _signals():
    handler, wakeup = signal.getsignal(signal.SIGTERM), signal.set_wakeup_fd(-1)
    yield
    signal.signal(signal.SIGTERM, handler)
    signal.set_wakeup_fd(wakeup)


class SignalAt(HookBase):
    """Signal to this process after the second step."""

    def __init__(self, number):
        self.number = number

    def after_step(self):
        if self.trainer.iter == 1:
            os.kill(os.getpid(), self.number)


def make_trainer(folder):
    cfg = color_config(ENABLED=True, OBJECTIVE="correspondence")
    cfg.MODEL.FREEZE = ["detector", "image_head"]
    cfg.OUTPUT_DIR = str(folder / "output")
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST, cfg.DATASETS.UNLABELED = (), (), (NAME,)
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.REFERENCE_WORLD_SIZE = 2, 6, 0
    cfg.TEST.EVAL_PERIOD, cfg.SEED = 0, 1
    os.makedirs(cfg.OUTPUT_DIR, exist_ok=True)
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)
    register_unlabeled_videos(NAME, str(folder / "videos"))
    return ICTrackTrainer(cfg)


@pytest.fixture
def folder(tmp_path):
    write_scenes(tmp_path / "videos", ["a", "b"], 8)
    yield tmp_path
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def test_a_checkpoint_after_the_step_and_a_status(folder):
    trainer = make_trainer(folder)
    trainer.register_hooks([SignalAt(signal.SIGTERM)])
    with pytest.raises(SystemExit) as stopped:
        trainer.train()
    assert stopped.value.code == PREEMPTED == 75
    state = load_weights_file(folder / "output" / "model_0000002.pth")["trainer"]
    assert state["iteration"] == 2 and state["_trainer"]["samples"] == 6
    resumed = make_trainer(folder)
    resumed.resume_or_load(resume=True)
    assert resumed.start_iter == 3


def test_an_evaluation_does_not_delay_it():
    hook = CheckpointOnSigterm()
    hook.before_train()
    with pytest.raises(SystemExit), hook.evaluation():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        pytest.fail("went on")


def stuck(asked) -> None:
    preemption.GRACE = 0.2
    CheckpointOnSigterm().before_train()
    os.kill(os.getpid(), signal.SIGTERM)
    asked.set()
    threading.Event().wait()


def test_a_process_that_waits_for_a_failed_one_ends():
    context = multiprocessing.get_context("fork")
    asked = context.Event()
    process = context.Process(target=stuck, args=(asked,))
    process.start()
    process.join(30)
    assert process.exitcode == 1 and asked.is_set()


def train_until(args: argparse.Namespace) -> None:
    """What each of two processes runs; only the second one gets the signal."""
    trainer = make_trainer(args.folder)
    if comm.get_rank() == 1:
        trainer.register_hooks([SignalAt(args.signal)])
    trainer.train()


def test_all_processes_end_when_one_is_asked(folder, monkeypatch):
    with pytest.raises(SystemExit) as stopped:
        launch_forked(monkeypatch, train_until, folder=folder, signal=signal.SIGTERM)
    assert stopped.value.code == PREEMPTED
    assert load_weights_file(folder / "output" / "model_0000002.pth")["trainer"]["iteration"] == 2


def test_a_killed_process_ends_the_job(folder, monkeypatch):
    start = time.monotonic()
    with pytest.raises(TrainingError, match="SIGKILL"):
        launch_forked(monkeypatch, train_until, folder=folder, signal=signal.SIGKILL)
    assert time.monotonic() - start < 60
