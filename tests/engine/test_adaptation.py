"""What an adaptation is judged by, and which model it leaves."""

import math

import pytest
import torch
from color_model import color_config, save_weights, write_scenes

from ictrack.engine import adaptation
from ictrack.engine.adaptation import adapt, object_to
from ictrack.engine.setup import load_config

GOOD = {"cell_retrieval": 0.5, "position_r2_x": 0.1, "position_r2_y": 0.2}


def metrics(fused, video=None):
    return {"image": GOOD, "video": {**GOOD, **(video or {})}, "fused": {**GOOD, **fused}}


def test_a_better_model_meets_no_objection():
    assert object_to(GOOD, metrics({"cell_retrieval": 0.6})) == ""
    assert object_to(GOOD, metrics({"cell_retrieval": 0.495})) == ""  # within the margin


def test_retrieval_of_instances_decides_where_it_was_measured():
    former = {**GOOD, "instance_retrieval": 0.8}
    assert object_to(former, metrics({"cell_retrieval": 0.1, "instance_retrieval": 0.9})) == ""
    objection = object_to(former, metrics({"cell_retrieval": 0.9, "instance_retrieval": 0.7}))
    assert objection == "instance_retrieval fell from 0.800 to 0.700"


def test_nothing_measured_is_no_objection():
    former = {**GOOD, "cell_retrieval": math.nan}
    assert object_to(former, metrics({"cell_retrieval": 0.1})) == ""


def test_the_shortcut_is_named():
    # The values of a Mask R-CNN whose adaptation went wrong.
    former = {"cell_retrieval": 0.183, "position_r2_x": 0.3, "position_r2_y": 0.4}
    after = metrics({"cell_retrieval": 0.117}, {"position_r2_x": 0.999, "position_r2_y": 0.9})
    objection = object_to(former, after)
    assert "fell from 0.183 to 0.117" in objection and "R2 1.00, before 0.40" in objection and "shortcut" in objection


@pytest.mark.parametrize("retrieval, kept", [(0.9, "adapted"), (0.1, "former")])
def test_the_better_model_is_kept(tmp_path, monkeypatch, retrieval, kept):
    write_scenes(tmp_path / "videos", ["a"])
    cfg = color_config()
    cfg.MODEL.WEIGHTS = str(save_weights(cfg, tmp_path / "image_stage.pth"))
    cfg.ADAPT.ITERATIONS, cfg.ADAPT.CLIPS_PER_BATCH, cfg.ADAPT.MEASURED_PAIRS = 1, 1, 2
    measured = iter([metrics({}), metrics({"cell_retrieval": retrieval})])
    monkeypatch.setattr(adaptation, "_measure", lambda *arguments: next(measured))
    result = adapt(cfg, [str(tmp_path / "videos")], tmp_path / "adapted")
    final = load_config(str(result.config_file))
    if kept == "adapted":
        assert final.MODEL.VIDEO_EMBEDDING.ENABLED and str(tmp_path / "adapted/model_final.pth") == final.MODEL.WEIGHTS
    else:
        assert not final.MODEL.VIDEO_EMBEDDING.ENABLED and final.MODEL.WEIGHTS == cfg.MODEL.WEIGHTS
    assert ("The former model is kept" in str(result)) == (kept == "former")


def test_the_training_size_respects_the_largest_side(tmp_path):
    write_scenes(tmp_path / "videos", ["a"])
    cfg = color_config()
    cfg.INPUT.MIN_SIZE_TEST = cfg.INPUT.MAX_SIZE_TEST = 48
    records = adaptation.find_videos([str(tmp_path / "videos")])
    size = adaptation._training_size(cfg, records)
    assert max(size) <= 48 + cfg.INPUT.UNLABELED.COLOR_STRIDE and size[0] != size[1]
    assert torch.tensor(size).remainder(cfg.INPUT.UNLABELED.COLOR_STRIDE).sum() == 0
