"""What is said of a run's mistakes without training."""

import json

import cv2
import numpy as np
import pytest
import torch
from coco_squares import content_of
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.engine.check_run import check_run
from ictrack.engine.launch import parse_training_arguments

NAME, CLIP = "checked", "checked_clip"


@pytest.fixture
def check(tmp_path):
    """A function from a file's content and further keys to the texts that are found, and those that are mistakes."""

    def run(content, *argv):
        path = tmp_path / "squares.json"
        if content is not None:
            path.write_text(json.dumps(content))
        keys = [
            "MODEL.DEVICE", "cpu", "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.BACKBONE.NAME",
            "build_resnet_fpn_backbone",
            "MODEL.RESNETS.OUT_FEATURES", "['res2','res3','res4','res5']", "MODEL.FPN.IN_FEATURES",
            "['res2','res3','res4','res5']", "MODEL.SOLO.NUM_CLASSES", "2", "MODEL.SOLO.CONV_DIM", "32",
            "MODEL.RESNETS.DEPTH", "18", "MODEL.RESNETS.RES2_OUT_CHANNELS", "64", "OUTPUT_DIR", str(tmp_path / "out"),
            "DATASETS.REGISTER", str([[NAME, "coco", str(path), str(tmp_path)]]), "DATASETS.TRAIN", f"('{NAME}',)",
            "DATASETS.TEST", "()", "MODEL.WEIGHTS", "",
        ]  # fmt: skip
        flags = [item for item in argv if item.startswith("--")]
        args = parse_training_arguments([*flags, *keys, *argv[len(flags) :]], prog="check", description=None)
        found = list(check_run(args))
        assert all(finding.text for finding in found)
        return [f.text for f in found if not f.is_mistake], [f.text for f in found if f.is_mistake]

    yield run
    for name in (NAME, CLIP):
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def test_nothing_is_wrong(check):
    texts, mistakes = check(content_of(2))
    assert mistakes == []
    assert texts == [
        "configuration: the defaults",
        f"DATASETS.TRAIN: {NAME}: 6 images",
        "classes: 2 (square 0, square 1)",
        "training batches: SOLVER.IMS_PER_BATCH 16",
        "weights: none (MODEL.WEIGHTS is empty)",
    ]


def test_several_mistakes_are_found_at_once(check, tmp_path):
    torch.save({"model": {"other": torch.zeros(1)}}, tmp_path / "other.pth")
    more = [
        "SOLVER.IMS_PER_BATCH",
        "3",
        "SOLVER.REFERENCE_WORLD_SIZE",
        "2",
        "MODEL.WEIGHTS",
        str(tmp_path / "other.pth"),
    ]
    _, mistakes = check(content_of(3), *more)
    classes, batch, weights = mistakes
    assert classes == f"{NAME} has 3 categories, MODEL.SOLO.NUM_CLASSES is 2"
    assert "SOLVER.IMS_PER_BATCH 3" in batch
    assert weights.startswith(f"{tmp_path / 'other.pth'}: is of another architecture")


def test_missing_files_are_told_once(check, tmp_path):
    texts, mistakes = check(None, "MODEL.WEIGHTS", "absent.pth")
    assert len(mistakes) == 2 and texts == ["configuration: the defaults"]
    assert f"{tmp_path / 'squares.json'}: no such file" in mistakes[0] and mistakes[1] == "absent.pth: no such file"


def test_without_a_configuration_there_is_nothing_else_to_check(check):
    assert check(content_of(2), "MODEL.NO_SUCH_KEY", "1")[0] == []
    texts, mistakes = check(content_of(2), "MODEL.DEVICE", "nonsense")
    assert texts == [] and "MODEL.DEVICE 'nonsense' is not a device" in mistakes[0]


def test_tracklets_need_weights_to_be_mined_with(check, tmp_path):
    (tmp_path / "clip").mkdir()
    cv2.imwrite(str(tmp_path / "clip" / "0.png"), np.zeros((64, 96, 3), np.uint8))
    row, clip = [NAME, "coco", str(tmp_path / "squares.json"), str(tmp_path)], [CLIP, "videos", str(tmp_path / "clip")]
    keys = [
        "DATASETS.REGISTER", str([row, clip]), "DATASETS.UNLABELED", f"('{CLIP}',)", "DATASETS.TRAIN", "()",
        "MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.READOUT", "mask",
        "MODEL.VIDEO_EMBEDDING.ENABLED", "True", "MODEL.VIDEO_EMBEDDING.OBJECTIVE", "tracklet",
    ]  # fmt: skip
    (mistake,) = check(content_of(2), *keys)[1]
    assert "MODEL.FREEZE" in mistake
    (mistake,) = check(content_of(2), *keys, "MODEL.FREEZE", "['detector']")[1]
    assert "the objective 'tracklet' needs tracklets" in mistake


def test_an_evaluation_needs_no_training_data(check):
    assert check(None, "--eval-only")[1] == []
