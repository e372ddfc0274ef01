"""Configurations that are read from names and shapes are those of configs/, and build the models of the weights."""

import copy
import re
from pathlib import Path

import pytest
import torch
from published_keys import DETECTORS, zero_weights

from ictrack.checkpoint import CheckpointError, convert_weights
from ictrack.checkpoint.fit import fit_weights
from ictrack.engine.published_config import published_config, published_settings, write_config
from ictrack.engine.setup import load_config
from ictrack.modeling.build import build_model

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def leaf_of(model):
    """Configuration in configs/ of a list of names."""
    if width := re.fullmatch(r"pointsetanchor_pose_hrnet_(w\d+)", model):
        return CONFIGS / "PointSetAnchor" / f"pose_hrnet_{width[1]}.yaml"
    kind, name = re.fullmatch(r"([a-z]+)\d?_(\w+)_r50_fpn", model).groups()
    prefix = "adelaidet_" if kind == "adelaidet" else ""
    return CONFIGS / "SOLO" / f"{prefix}{name}_R_50_FPN_3x.yaml"


def model_keys(cfg):
    """What decides of a configuration about detections and losses."""
    cfg = copy.deepcopy(cfg)
    cfg.MODEL.WEIGHTS = cfg.MODEL.HRNET.WEIGHTS = cfg.MODEL.DEVICE = ""
    if cfg.MODEL.SOLO.MASK_HEAD != "dynamic":  # only there do its values differ
        cfg.MODEL.SOLO.MASK_LOSS_NORMALIZER = ""
    test_size = (cfg.INPUT.FORMAT, cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST)
    return cfg.MODEL, test_size, tuple(cfg.DATASETS.TRAIN), cfg.TEST.DETECTIONS_PER_IMAGE


@pytest.mark.parametrize("model", DETECTORS)
def test_full_size_models(model, tmp_path):
    conversion = convert_weights(zero_weights(model))
    cfg = published_config(published_settings(conversion))
    leaf = load_config(str(leaf_of(model)))
    if model == "wxinlong_solov2_r50_fpn":  # the leaf is mmdetection's
        leaf.MODEL.SOLO.MASK_LOSS_NORMALIZER = "pairs"
    assert model_keys(cfg) == model_keys(leaf)
    write_config(cfg, tmp_path / "auto.yaml", "as written")
    written = load_config(str(tmp_path / "auto.yaml"))
    assert model_keys(written) == model_keys(cfg)
    assert len((tmp_path / "auto.yaml").read_text().splitlines()) < 50

    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        own = build_model(cfg).state_dict()
    fit = fit_weights(conversion.weights, own)
    assert not fit.problems() and not fit.initial


@pytest.mark.parametrize(("blocks", "depth"), [((3, 4, 23, 3), 101), ((3, 8, 36, 3), 152)])
def test_deeper_backbones(blocks, depth):
    weights = convert_weights(zero_weights("mmdet3_solo_r50_fpn"))
    for stage, count in enumerate(blocks, 2):
        for block in range(count):
            for name, x in list(weights.weights.items()):
                if f".res{stage}.1." in name:
                    weights.weights[name.replace(f".res{stage}.1.", f".res{stage}.{block}.")] = x
    assert published_settings(weights)["MODEL.RESNETS.DEPTH"] == depth
    for name in [name for name in weights.weights if ".res5.2." in name]:
        del weights.weights[name]
    with pytest.raises(CheckpointError, match=r"a ResNet with .* blocks is none of Detectron2's"):
        published_settings(weights)


def test_half_a_file_does_not_tell_its_model():
    weights = convert_weights(zero_weights("mmdet3_solov2_r50_fpn"))
    del weights.weights["head.mask_features.output.weight"]
    with pytest.raises(CheckpointError, match=r"has no 'head\.mask_features\.output\.weight', from which"):
        published_settings(weights)
