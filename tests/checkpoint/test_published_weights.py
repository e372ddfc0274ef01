from __future__ import annotations

import re

import parity_solo as parity
import pytest
import torch
from detectron2.modeling import build_model

from ictrack.checkpoint.published_weights import (
    convert_solo_weights,
    load_detector_weights,
    read_solo_weights,
    solo_name,
)
from ictrack.checkpoint.weights_file import CheckpointError

SCHEMES = ["mmdet3", "wxinlong"]


def listed_shapes(scheme: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published full-size model."""
    lines = (parity.DATA / f"keys_{scheme}_solo_r50_fpn.txt").read_text().splitlines()
    entries = (re.fullmatch(r"(\S+) \[(.*)\]", line) for line in lines if not line.startswith("#"))
    return {entry[1]: tuple(int(n) for n in entry[2].split(",") if n.strip()) for entry in entries}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_full_size_model_takes_every_published_tensor(scheme):
    cfg = parity.base_cfg()
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        model = build_model(cfg)
    ours = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    published = {solo_name(name): shape for name, shape in listed_shapes(scheme).items() if "num_batches" not in name}
    assert None not in published
    assert published == ours


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_are_one_to_one(scheme):
    names = list(listed_shapes(scheme))
    assert len(names) == 388
    assert len({solo_name(name) for name in names}) == 388


def test_both_schemes_give_the_same_model():
    first, second = (parity.tiny_model(scheme).state_dict() for scheme in SCHEMES)
    assert first.keys() == second.keys()
    for name, x in first.items():
        assert torch.equal(x, second[name]), name


@pytest.mark.parametrize("scheme", SCHEMES)
def test_file(scheme, tmp_path):
    weights = parity.published_weights(scheme)
    torch.save({"meta": {"epoch": 36, "CLASSES": ("a", "b")}, "state_dict": weights}, tmp_path / "solo.pth")
    read = read_solo_weights(tmp_path / "solo.pth")
    model = build_model(parity.tiny_cfg())
    load_detector_weights(model, read)
    category = "mask_head.conv_cls.bias" if scheme == "mmdet3" else "bbox_head.solo_cate.bias"
    assert torch.equal(model.head.category_output.bias, weights[category])


def test_file_of_another_model_is_named(tmp_path):
    torch.save({"state_dict": {"fc.weight": torch.zeros(2)}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth: .*fc\.weight"):
        read_solo_weights(tmp_path / "other.pth")


def test_unknown_names_are_listed():
    weights = {**parity.published_weights("mmdet3"), "mask_head.extra.weight": torch.zeros(1), "x": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"mask_head\.extra\.weight, x"):
        convert_solo_weights(weights)


def test_all_misfits_are_listed_and_nothing_is_loaded():
    model = build_model(parity.tiny_cfg())
    before = {name: x.clone() for name, x in model.state_dict().items()}
    weights = convert_solo_weights(parity.published_weights("mmdet3"))
    del weights["head.category_output.bias"]
    weights["head.mask_outputs.1.weight"] = torch.zeros(99, 64, 1, 1)
    weights["head.mask_tower.7.weight"] = torch.zeros(64, 64, 3, 3)
    with pytest.raises(CheckpointError) as error:
        load_detector_weights(model, weights)
    message = str(error.value)
    assert "head.category_output.bias: missing" in message
    assert "head.mask_outputs.1.weight: shape (99, 64, 1, 1), the model has (100, 64, 1, 1)" in message
    assert "head.mask_tower.7.weight: not in the model" in message
    assert len(message.splitlines()) == 4
    for name, x in model.state_dict().items():
        assert torch.equal(x, before[name])


def test_embedding_head_is_left_alone():
    model = build_model(parity.tiny_cfg())
    model.embedding_head = torch.nn.Linear(2, 2)
    before = model.embedding_head.weight.clone()
    load_detector_weights(model, convert_solo_weights(parity.published_weights("wxinlong")))
    assert torch.equal(model.embedding_head.weight, before)
