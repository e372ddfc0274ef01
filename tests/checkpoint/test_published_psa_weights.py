from __future__ import annotations

import parity_psa as parity
import pytest
import torch
from detectron2.modeling import build_model

from ictrack.checkpoint.published_weights import (
    convert_psa_weights,
    convert_solo_weights,
    is_published_psa,
    is_published_solo,
    load_detector_weights,
    psa_name,
)
from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError


def test_full_size_model_takes_every_published_tensor():
    cfg = parity.base_cfg()
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        model = build_model(cfg)
    ours = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    listed = parity.listed_shapes("pointsetanchor_pose_hrnet_w48")
    assert len(listed) == 2046
    renamed = {psa_name(name): shape for name, shape in listed.items() if psa_name(name) is not None}
    assert renamed == ours
    # What is left: two copies of the levels' tensors, and modules without use.
    left = [name for name in listed if psa_name(name) is None]
    assert len(left) == len(listed) - len(ours)
    with torch.device("meta"):
        weights = {name: torch.zeros(shape) for name, shape in listed.items() if psa_name(name) is None}
    assert all(name.startswith(("bbox_head.", "extra_heads.0.")) and "_list" in name for name in weights)


def test_loading_is_exact_and_leaves_the_rest():
    published = parity.published_weights()
    assert is_published_psa(published)
    assert not is_published_solo(published)
    model = build_model(parity.tiny_cfg())
    load_detector_weights(model, convert_psa_weights(published))
    state = model.state_dict()
    assert torch.equal(
        state["heads.1.point_branch.aligned.weight"], published["extra_heads.0.shape_align_conv_list_reg.0.0.weight"]
    )
    assert torch.equal(state["backbone.bottom_up.model.conv1.weight"], published["backbone.conv1.weight"])
    assert state["heatmap_head.offset.2.num_batches_tracked"] == 7


def test_checkpointer_recognises_the_file(tmp_path):
    published = parity.published_weights()
    torch.save({"meta": {"epoch": 115}, "state_dict": published}, tmp_path / "psa.pth")
    model = build_model(parity.tiny_cfg())
    SafeCheckpointer(model).load(str(tmp_path / "psa.pth"))
    expected = convert_psa_weights(published)
    for name, x in model.state_dict().items():
        assert torch.equal(x, expected[name]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"bbox_head.conv_cls_list.2.0.bias": torch.ones(1)},
            r"conv_cls_list\.2\.0\.bias: not equal to level 0",
        ),
        ({"bbox_head.something.weight": torch.ones(1)}, r"bbox_head\.something\.weight: unknown"),
    ],
)
def test_other_weights_are_refused(change, message):
    with pytest.raises(CheckpointError, match=message):
        convert_psa_weights({**parity.published_weights(), **change})


def test_misfits_are_listed():
    weights = convert_psa_weights(parity.published_weights())
    del weights["heads.0.class_branch.output.bias"]
    weights["backbone.reduction.bias"] = torch.zeros(3)
    model = build_model(parity.tiny_cfg())
    with pytest.raises(
        CheckpointError, match=r"(?s)class_branch\.output\.bias: missing.*backbone\.reduction\.bias: shape"
    ):
        load_detector_weights(model, weights)
    with pytest.raises(CheckpointError):
        convert_solo_weights(parity.published_weights())
