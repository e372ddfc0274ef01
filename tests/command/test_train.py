"""``ictrack train`` and the project's training script tell a user's mistake in one line, whichever process finds it."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from coco_squares import content_of

from ictrack.command.main import main

ROOT = Path(__file__).resolve().parents[2]


def arguments(tmp_path, *options):
    return [
        *options, "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.DEVICE", "cpu",
        "DATASETS.REGISTER", str([["squares", "coco", str(tmp_path / "instances.json"), str(tmp_path)]]),
        "DATASETS.TRAIN", "('squares',)", "DATASETS.TEST", "()", "OUTPUT_DIR", str(tmp_path / "out"),
        "DATALOADER.NUM_WORKERS", "0", "MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone", "MODEL.SOLO.CONV_DIM", "32",
        "MODEL.RESNETS.OUT_FEATURES", "['res2','res3','res4','res5']", "MODEL.FPN.IN_FEATURES",
        "['res2','res3','res4','res5']", "MODEL.RESNETS.RES2_OUT_CHANNELS", "32", "MODEL.RESNETS.WIDTH_PER_GROUP", "8",
        "MODEL.FPN.OUT_CHANNELS", "32",
    ]  # fmt: skip


def error_line(status, output, errors):
    """The one line on standard error, by which a command with a user's mistake ends."""
    assert status == 1 and "Traceback" not in output + errors
    *others, line = errors.strip().splitlines()
    assert not any("error" in other.lower() for other in others)
    return line


def run_here(capfd, tmp_path, *options):
    """Last line of ``ictrack train`` in this process, and in those that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        # Loggers would keep a test's captured stdout for the tests after it.
        for module in ("detectron2.engine.defaults", "ictrack.engine.setup", "ictrack.engine.trainer"):
            patch.setattr(f"{module}.setup_logger", lambda *args, **kwargs: logging.getLogger("detectron2"))
        patch.setenv("OMP_NUM_THREADS", "1")
        status = main(["train", *arguments(tmp_path, *options)])
    return error_line(status, *capfd.readouterr())


def run_script(capfd, tmp_path, *options):
    """Last line of the project's training script."""
    command = [sys.executable, "projects/ICTrack/train_net.py", *arguments(tmp_path, *options)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    return error_line(result.returncode, result.stdout, result.stderr)


@pytest.mark.parametrize(
    ("run", "change", "message"),
    [
        (run_here, lambda d: d["annotations"].clear(), "squares: no image has an annotation to train on"),
        (
            run_script,
            lambda d: d["annotations"][0].update(image_id=9),
            "annotations[0].image_id: 9 is not the id of one in the file",
        ),
    ],
)
def test_one_process(capfd, tmp_path, run, change, message):
    content = content_of(3)
    change(content)
    (tmp_path / "instances.json").write_text(json.dumps(content))
    line = run(capfd, tmp_path, "MODEL.SOLO.NUM_CLASSES", "3", "MODEL.WEIGHTS", "")
    assert line.startswith("error: ") and line.endswith(message)


def test_two_processes_that_do_not_start(capfd, tmp_path):
    line = run_here(capfd, tmp_path, "--num-gpus", "2", "MODEL.WEIGHTS", "")
    assert line.startswith(f"error: DATASETS.TRAIN: squares: {tmp_path / 'instances.json'}: no such file")


def test_two_processes_that_find_it_themselves(capfd, tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(content_of(3)))
    (tmp_path / "junk.pth").write_bytes(b"junk")
    options = ["MODEL.SOLO.NUM_CLASSES", "3", "MODEL.WEIGHTS", str(tmp_path / "junk.pth")]
    line = run_here(capfd, tmp_path, "--num-gpus", "2", *options)
    assert line.startswith(f"error: {tmp_path / 'junk.pth'}: cannot be read as a checkpoint")
