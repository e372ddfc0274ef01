"""The number of a detector's classes against the categories of its data, before anything is computed."""

import json

import pytest
from coco_squares import content_of
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.check_classes import check_classes
from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer

TRAIN, TEST = "check_classes_train", "check_classes_test"


@pytest.fixture
def configured(tmp_path):
    def cfg_of(*options, num_categories=3, tested=3):
        entries = []
        for name, number in ((TRAIN, num_categories), (TEST, tested)):
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(content_of(number)))
            entries.append([name, "coco", str(path), str(tmp_path)])
        names = ["DATASETS.TRAIN", str((TRAIN,)), "DATASETS.TEST", str((TEST,)), "OUTPUT_DIR", str(tmp_path)]
        cfg = load_config(overrides=["DATASETS.REGISTER", str(entries), *names, *options])
        register_configured_datasets(cfg)
        return cfg

    yield cfg_of
    for name in (TRAIN, TEST):
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


MODELS = [
    (["MODEL.META_ARCHITECTURE", "SOLO"], "MODEL.SOLO.NUM_CLASSES"),
    (["MODEL.META_ARCHITECTURE", "EmbeddedDetector"], "MODEL.ROI_HEADS.NUM_CLASSES"),
    (
        ["MODEL.META_ARCHITECTURE", "EmbeddedDetector", "MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE", "RetinaNet"],
        "MODEL.RETINANET.NUM_CLASSES",
    ),
    (["MODEL.META_ARCHITECTURE", "RetinaNet"], "MODEL.RETINANET.NUM_CLASSES"),
]


@pytest.mark.parametrize(("model", "key"), MODELS)
def test_fewer_classes_than_categories_are_refused(configured, model, key, caplog):
    for number in (1, 2):
        with pytest.raises(ValueError, match=rf"{TRAIN} has 3 categories, {key} is {number}"):
            check_classes(configured(*model, key, str(number)))
    check_classes(configured(*model, key, "3"))
    assert "never trained" not in caplog.text
    check_classes(configured(*model, key, "80"))
    assert f"{TRAIN} has 3 categories, {key} is 80: classes from 3 on are never trained" in caplog.text


def test_the_trainer_asks_before_it_makes_a_model(configured):
    cfg = configured("MODEL.META_ARCHITECTURE", "SOLO", "MODEL.SOLO.NUM_CLASSES", "2")
    with pytest.raises(ValueError, match=r"3 categories, MODEL\.SOLO\.NUM_CLASSES is 2"):
        ICTrackTrainer(cfg)


def test_a_frozen_detector_needs_no_classes_of_the_data(configured):
    check_classes(
        configured("MODEL.META_ARCHITECTURE", "SOLO", "MODEL.SOLO.NUM_CLASSES", "2", "MODEL.FREEZE", "['detector']")
    )


def test_a_test_set_of_images_has_the_detectors_classes(configured):
    cfg = configured("MODEL.META_ARCHITECTURE", "SOLO", "MODEL.SOLO.NUM_CLASSES", "3", tested=2)
    for check in (check_classes, lambda cfg: ICTrackTrainer.build_evaluator(cfg, TEST)):
        with pytest.raises(ValueError, match=rf"{TEST} has 2 categories .*the detector's classes are 3"):
            check(cfg)
