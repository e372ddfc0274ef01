"""COCO's classes in YouTube-VIS and OVIS results, class by class at the results file, through every stage's config."""

import argparse
import json
from pathlib import Path

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Boxes, Instances
from published_class_maps import published_class_map

from ictrack import add_ictrack_config
from ictrack.data.datasets import register_youtube_vis
from ictrack.engine.setup import load_config, setup
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.engine.video_tracker import VideoTracker
from ictrack.evaluation.detector_classes import detector_classes, state_detector_classes
from ictrack.structures.categories import OVIS_CATEGORIES, YTVIS_2019_CATEGORIES, YTVIS_2021_CATEGORIES

STAGES = sorted((Path(__file__).parents[2] / "configs" / "YouTubeVIS-2019").glob("*.yaml"))
NAME = "tiny_classes"
SIZE = (8, 8)


@pytest.fixture(params=[YTVIS_2019_CATEGORIES, YTVIS_2021_CATEGORIES, OVIS_CATEGORIES], ids=["2019", "2021", "ovis"])
def categories(request, tmp_path):
    """Those of a registered test set with a video of one frame for each of COCO's classes."""
    videos = [{"id": 1 + i, "height": 8, "width": 8, "length": 1, "file_names": [f"{i}/0.jpg"]} for i in range(80)]
    listed = [{"id": i, "name": name} for i, name in enumerate(request.param, 1)]
    (tmp_path / "videos.json").write_text(json.dumps({"videos": videos, "categories": listed}))
    register_youtube_vis(NAME, str(tmp_path / "videos.json"), str(tmp_path))
    yield request.param
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def detection(category):
    masks = torch.zeros(1, *SIZE, dtype=torch.bool)
    masks[:, 2:6, 2:6] = True
    return Instances(
        SIZE, pred_boxes=Boxes([[2.0, 2, 6, 6]]), scores=torch.tensor([0.9]), pred_masks=masks,
        pred_classes=torch.tensor([category]), embeddings=torch.ones(1, 4),
    )  # fmt: skip


def stage_config(path, output, *options):
    """As ``train_net.py --eval-only`` has it, and as it is written beside the weights."""
    args = argparse.Namespace(
        config_file=str(path),
        opts=["OUTPUT_DIR", str(output), "DATASETS.TEST", "()", "MODEL.WEIGHTS", "", *options],
        eval_only=True,
    )
    return setup(args), load_config(str(output / "config.yaml"))


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_every_class_of_coco_at_the_results_file(path, categories, tmp_path):
    coco = MetadataCatalog.get("coco_2017_val")
    coco_ids = {index: i for i, index in coco.thing_dataset_id_to_contiguous_id.items()}
    published = published_class_map(categories)
    for cfg in stage_config(path, tmp_path):
        evaluator = ICTrackTrainer.build_evaluator(cfg, NAME)
        evaluator.reset()
        for index in range(80):
            frame = {"video_id": 1 + index, "frame_index": 0, "video_length": 1, "height": 8, "width": 8}
            evaluator.process([frame], [{"instances": detection(index)}])
        assert evaluator.evaluate() == {}  # a test set
        results = json.loads((tmp_path / NAME / "results.json").read_text())
        written = {coco_ids[result["video_id"] - 1]: result["category_id"] for result in results}
        assert written == published


@pytest.mark.parametrize("path", STAGES, ids=lambda path: path.stem)
def test_every_stage_draws_with_cocos_names(path, tmp_path, monkeypatch):
    monkeypatch.setattr("ictrack.engine.video_tracker.build_model", lambda cfg: torch.nn.Linear(1, 1))
    monkeypatch.setattr("ictrack.engine.video_tracker.SafeCheckpointer.load", lambda self, path: {})
    for cfg in (load_config(str(path)), *stage_config(path, tmp_path)):
        names = VideoTracker.from_config(cfg).class_names
        assert names == MetadataCatalog.get("coco_2017_val").thing_classes


def test_training_on_other_classes_than_stated_is_refused(tmp_path):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    assert detector_classes(cfg) is None  # and nothing to state
    state_detector_classes(cfg, training=True)
    assert cfg.MODEL.CLASSES == []
    cfg.DATASETS.TRAIN = ("coco_2017_train",)
    state_detector_classes(cfg, training=True)
    assert cfg.MODEL.CLASSES[:2] == ["person", "bicycle"] and len(cfg.MODEL.CLASSES) == 80
    cfg.DATASETS.TRAIN = ("coco_2017_train", "keypoints_coco_2017_train")
    state_detector_classes(cfg, training=False)
    with pytest.raises(ValueError, match=r"the classes of keypoints_coco_2017_train \(person\) are not MODEL\.CLASSES"):
        state_detector_classes(cfg, training=True)
