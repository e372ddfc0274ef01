"""``ictrack train`` and the project's training script tell a user's mistake in one line, whichever process finds it."""

import json
import os

import pytest
from coco_squares import content_of
from quick_python import run_python

COMMAND = ["-m", "ictrack", "train"]
PAGE = ["projects/ICTrack/train_net.py"]


def run(tmp_path, program, *options):
    command = [
        *program, *options, "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.DEVICE", "cpu",
        "DATASETS.REGISTER", str([["squares", "coco", str(tmp_path / "instances.json"), str(tmp_path)]]),
        "DATASETS.TRAIN", "('squares',)", "DATASETS.TEST", "()", "OUTPUT_DIR", str(tmp_path / "out"),
        "DATALOADER.NUM_WORKERS", "0", "MODEL.BACKBONE.NAME", "build_resnet_fpn_backbone", "MODEL.SOLO.CONV_DIM", "32",
        "MODEL.RESNETS.OUT_FEATURES", "['res2','res3','res4','res5']", "MODEL.FPN.IN_FEATURES",
        "['res2','res3','res4','res5']",
    ]  # fmt: skip
    result = run_python(*command, env={**os.environ, "OMP_NUM_THREADS": "1"}, forks=True)
    assert result.returncode == 1 and "Traceback" not in result.stdout + result.stderr
    *others, line = result.stderr.strip().splitlines()
    assert not any("error" in other.lower() for other in others)
    return line


@pytest.mark.parametrize(
    ("program", "change", "message"),
    [
        (COMMAND, lambda d: d["annotations"].clear(), "squares: no image has an annotation to train on"),
        (
            PAGE,
            lambda d: d["annotations"][0].update(image_id=9),
            "annotations[0].image_id: 9 is not the id of one in the file",
        ),
    ],
)
def test_one_process(tmp_path, program, change, message):
    content = content_of(3)
    change(content)
    (tmp_path / "instances.json").write_text(json.dumps(content))
    line = run(tmp_path, program, "MODEL.SOLO.NUM_CLASSES", "3", "MODEL.WEIGHTS", "")
    assert line.startswith("error: ") and line.endswith(message)


def test_two_processes_that_do_not_start(tmp_path):
    line = run(tmp_path, COMMAND, "--num-gpus", "2", "MODEL.WEIGHTS", "")
    assert line.startswith(f"error: DATASETS.TRAIN: squares: {tmp_path / 'instances.json'}: no such file")


def test_two_processes_that_find_it_themselves(tmp_path):
    (tmp_path / "instances.json").write_text(json.dumps(content_of(3)))
    (tmp_path / "junk.pth").write_bytes(b"junk")
    options = ["MODEL.SOLO.NUM_CLASSES", "3", "MODEL.WEIGHTS", str(tmp_path / "junk.pth")]
    line = run(tmp_path, COMMAND, "--num-gpus", "2", *options)
    assert line.startswith(f"error: {tmp_path / 'junk.pth'}: cannot be read as a checkpoint")
