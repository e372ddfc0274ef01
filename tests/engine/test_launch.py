"""Processes of a training: where they meet, and what is heard of one that ends early."""

import argparse
import json
import logging

import pytest
from coco_squares import content_of
from detectron2.utils import comm
from torch.multiprocessing import ProcessRaisedException

from ictrack.engine import launch as launching
from ictrack.engine.check_classes import ClassesError
from ictrack.engine.launch import TrainingError, launch_training, parse_training_arguments
from ictrack.engine.setup import ConfigError


def arguments(*argv):
    return parse_training_arguments(argv, prog="train", description=None)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "auto"),
        (["--dist-url", "tcp://127.0.0.1:3000"], "tcp://127.0.0.1:3000"),
        (["--num-machines", "2", "--dist-url", "tcp://10.0.0.1:3000"], "tcp://10.0.0.1:3000"),
    ],
)
def test_processes_of_one_machine_meet_at_a_free_port(monkeypatch, flags, expected):
    launched = []
    monkeypatch.setattr(launching, "launch_processes", lambda *args, **options: launched.append(options["dist_url"]))
    monkeypatch.setattr(launching.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    launch_training(arguments("--num-gpus", "2", "--eval-only", *flags, "MODEL.DEVICE", "cpu", "DATASETS.TEST", "()"))
    assert launched == [expected]


@pytest.mark.parametrize(
    "flags",
    [
        ["--num-gpus", "0"],
        ["--num-gpus", "two"],
        ["--num-machines", "0"],
        ["--machine-rank", "1"],
        ["--num-machines", "2", "--dist-url", "auto"],
    ],
)
def test_numbers_that_cannot_be(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        arguments(*flags)
    assert stopped.value.code == 2 and flags[-2] in capsys.readouterr().err


@pytest.fixture
def squares(tmp_path):
    (tmp_path / "squares.json").write_text(json.dumps(content_of(3)))
    return [
        "MODEL.DEVICE", "cpu", "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.SOLO.NUM_CLASSES", "2", "DATASETS.TEST", "()",
        "DATASETS.REGISTER", str([["launched", "coco", str(tmp_path / "squares.json"), str(tmp_path)]]),
        "DATASETS.TRAIN", "('launched',)",
    ]  # fmt: skip


def test_mistakes_are_found_before_any_process_starts(monkeypatch, squares):
    monkeypatch.setattr(launching, "launch_processes", lambda *args, **options: pytest.fail("has started"))
    monkeypatch.setattr(launching.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with pytest.raises(ClassesError, match=r"launched has 3 categories, MODEL\.SOLO\.NUM_CLASSES is 2"):
        launch_training(arguments("--num-gpus", "2", *squares))
    with pytest.raises(ConfigError, match=r"IMS_PER_BATCH 5 is no multiple of the 2 processes"):
        launch_training(arguments("--num-gpus", "2", *squares, "SOLVER.IMS_PER_BATCH", "5"))
    with pytest.raises(ConfigError, match=r"IMS_PER_BATCH 5 is no multiple of the 4 SOLVER\.REFERENCE_WORLD_SIZE"):
        launch_training(
            arguments("--num-gpus", "2", *squares, "SOLVER.IMS_PER_BATCH", "5", "SOLVER.REFERENCE_WORLD_SIZE", "4")
        )
    with pytest.raises(ConfigError, match=r"IMS_PER_BATCH 2 is no multiple of the 2 processes times INPUT.NUM_VIEWS 2"):
        launch_training(arguments("--num-gpus", "2", *squares, "SOLVER.IMS_PER_BATCH", "2", "INPUT.NUM_VIEWS", "2"))
    monkeypatch.setattr(launching.torch.cuda, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="--num-gpus 3: this machine has 2 GPUs"):
        launch_training(arguments("--num-gpus", "3", *squares))


def fail(args: argparse.Namespace) -> None:
    """What each process runs instead of a training: only the second one stops by itself."""
    if comm.get_rank() == 1:
        raise {"mistake": ValueError, "fault": TypeError}[args.kind]("of a\nprocess")
    try:
        comm.synchronize()
    except RuntimeError:  # if it is not ended before
        logging.getLogger("detectron2.engine.train_loop").exception("Exception during training:")
        raise


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [("mistake", TrainingError, "^of a process$"), ("fault", ProcessRaisedException, "Error")],
)
def test_what_is_heard_of_a_process(kind, error, message, capfd):
    args = arguments("--num-gpus", "2", "--eval-only", "MODEL.DEVICE", "cpu", "DATASETS.TEST", "()")
    args.kind = kind
    with pytest.raises(error, match=message):
        launch_training(args, fail)
    assert kind == "fault" or "Traceback" not in "".join(capfd.readouterr())


def test_a_log_without_tracebacks_of_mistakes(caplog):
    others_are_fine = [True]
    logger = logging.getLogger("detectron2.engine.train_loop")
    before = list(logger.filters)
    launching._log_user_errors_in_one_line(lambda: others_are_fine[0])

    def logged(error):
        caplog.clear()
        try:
            raise error
        except type(error):
            logger.exception("Exception during training:")
        return caplog.records[0].getMessage(), caplog.records[0].exc_info is not None

    try:
        assert logged(ValueError("no image")) == ("Training stopped: no image", False)
        assert logged(RuntimeError("a fault")) == ("Exception during training:", True)
        others_are_fine[0] = False
        assert logged(RuntimeError("connection closed")) == ("Training stopped: see another process", False)
    finally:
        logger.filters[:] = before
