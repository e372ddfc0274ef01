"""Recognition of files and conversion of names, on small weights."""

import numpy as np
import parity_psa
import parity_solo
import pytest
import torch
from detectron2.modeling import build_model

from ictrack.checkpoint import CheckpointError, SafeCheckpointer, convert_weights, load_detector_weights
from ictrack.checkpoint.published import find_source, published_weights
from ictrack.checkpoint.published.mmdetection import MMDETECTION
from ictrack.checkpoint.published.wxinlong import WXINLONG

SCHEMES = ["mmdet3", "wxinlong"]


@pytest.fixture(scope="module")
def solo():
    return parity_solo.published_weights("mmdet3")


def test_both_schemes_give_the_same_model():
    first, second = (parity_solo.tiny_model(scheme).state_dict() for scheme in SCHEMES)
    assert first.keys() == second.keys()
    for name, x in first.items():
        assert torch.equal(x, second[name]), name


def test_values_go_where_they_belong(solo):
    weights = convert_weights(solo).weights
    assert torch.equal(weights["head.category_output.bias"], solo["mask_head.conv_cls.bias"])
    assert torch.equal(weights["backbone.fpn_output4.bias"], solo["neck.fpn_convs.2.conv.bias"])
    assert torch.equal(
        weights["backbone.bottom_up.res4.0.shortcut.norm.weight"], solo["backbone.layer3.0.downsample.1.weight"]
    )


def test_the_way_back_has_the_same_values(solo):
    ours = {name: x for name, x in convert_weights(solo).weights.items() if not name.endswith("batches_tracked")}
    back = published_weights(ours, "mmdet")
    assert back.keys() == solo.keys()
    assert all(torch.equal(back[name], x) for name, x in solo.items() if not name.endswith("batches_tracked"))
    with pytest.raises(CheckpointError, match=r"has no names for embedding_head\.x"):
        published_weights({"embedding_head.x": torch.zeros(1)}, "mmdet")


def test_point_set_anchor():
    published = parity_psa.published_weights()
    converted = convert_weights(published)
    assert converted.source.formats == ("psa",)
    model = build_model(parity_psa.tiny_cfg())
    load_detector_weights(model, converted.weights)
    state = model.state_dict()
    assert torch.equal(
        state["heads.1.point_branch.aligned.weight"], published["extra_heads.0.shape_align_conv_list_reg.0.0.weight"]
    )
    assert torch.equal(state["backbone.bottom_up.model.conv1.weight"], published["backbone.conv1.weight"])
    assert state["heatmap_head.offset.2.num_batches_tracked"] == 7


@pytest.mark.parametrize("model", ["solo", "psa"])
def test_the_checkpointer_reads_published_files(model, tmp_path):
    parity = {"solo": parity_solo, "psa": parity_psa}[model]
    published = parity.published_weights() if model == "psa" else parity.published_weights("wxinlong")
    torch.save({"meta": {"epoch": 36, "CLASSES": ("a", "b")}, "state_dict": published}, tmp_path / "x.pth")
    own = build_model(parity.tiny_cfg())
    SafeCheckpointer(own).load(str(tmp_path / "x.pth"))
    expected = convert_weights(published).weights
    assert all(torch.equal(x, expected[name]) for name, x in own.state_dict().items())


def test_detectron_s_names():
    """ResNets of Microsoft's layout, with normalization merged into weight and bias."""
    old = {
        "conv1_w": torch.zeros(8, 3, 7, 7),
        "res_conv1_bn_s": torch.zeros(8),
        "res2_0_branch2a_w": torch.zeros(8, 8, 1, 1),
        "res2_0_branch2a_bn_b": torch.zeros(8),
        "res2_0_branch1_w": torch.zeros(32, 8, 1, 1),
        "res2_0_branch1_w_momentum": torch.zeros(32, 8, 1, 1),
        "fc1000_w": torch.zeros(10, 32),
    }
    converted = convert_weights(old)
    prefix = "backbone.bottom_up."
    assert converted.source.formats == ("detectron2",) and converted.unused == ["fc1000.weight"]
    assert [name.removeprefix(prefix) for name in converted.weights] == [
        "stem.conv1.weight",
        "stem.conv1.norm.weight",
        "res2.0.conv1.weight",
        "res2.0.conv1.norm.bias",
        "res2.0.shortcut.weight",
    ]


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (
            {"mask_head.extra.weight": 1, "x": 1},
            "auto",
            r"SOLO family of mmdetection .*extra\.weight.*, x: un",
        ),
        ({}, "wxinlong", r"not a file of wxinlong: its names are those of a SOLO family of mmdetection \(mmdet\)"),
        ({"bbox_head.solo_cate.bias": 1}, "mmdet", r"bbox_head\.solo_cate\.bias: unknown"),
    ],
)
def test_other_names_are_listed(solo, change, kind, message):
    weights = {**solo, **{name: torch.ones(size) for name, size in change.items()}}
    with pytest.raises(CheckpointError, match=message) as error:
        convert_weights(weights, kind)
    assert "\n" not in str(error.value)
    if change:
        assert convert_weights(weights, "mmdet", strict=False).weights.keys() == convert_weights(solo).weights.keys()


def test_weights_of_no_kind():
    assert find_source(["encoder.weight"]) is None
    with pytest.raises(CheckpointError, match=r"is not published weights: its names are unknown, such as encoder\.w"):
        convert_weights({"encoder.w": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="none at all"):
        convert_weights({})


def test_two_tensors_for_one_are_refused():
    weights = parity_solo.published_weights("wxinlong")
    weights["bbox_head.dsolo_cate.bias"] = weights["bbox_head.solo_cate.bias"]
    with pytest.raises(CheckpointError, match=r"dsolo_cate\.bias: the same as bbox_head\.solo_cate\.bias"):
        convert_weights(weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bbox_head.conv_cls_list.2.0.bias": torch.ones(1)}, r"conv_cls_list\.2\.0\.bias: not equal to level 0"),
        ({"bbox_head.something.weight": torch.ones(1)}, r"bbox_head\.something\.weight: unknown"),
    ],
)
def test_levels_that_differ_are_refused(change, message):
    with pytest.raises(CheckpointError, match=message):
        convert_weights({**parity_psa.published_weights(), **change})


def test_many_problems_are_one_line(solo):
    weights = {**solo, **{f"mask_head.x{index}": torch.from_numpy(np.zeros(1)) for index in range(99)}}
    with pytest.raises(CheckpointError, match=r"mask_head\.x5: unknown and 93 more$"):
        convert_weights(weights)


@pytest.mark.parametrize(
    ("table", "tower"), [(MMDETECTION.table, "mask_head.cls_convs"), (WXINLONG.table, "bbox_head.cate_convs")]
)
def test_offsets_of_deformable_convolutions(table, tower):
    """Under their present names and those of early versions; they are written under the present ones."""
    ours = {f"{tower}.3.conv": "head.category_tower.3", "backbone.layer3.22.conv2": "backbone.bottom_up.res4.22.conv2"}
    for published, own in ours.items():
        assert (
            table.ours(f"{published}.conv_offset.bias")
            == table.ours(f"{published}_offset.bias")
            == f"{own}.offset.bias"
        )
        assert table.published(f"{own}.offset.bias") == f"{published}.conv_offset.bias"
        assert table.ours(f"{published}.weight") == f"{own}.weight"
