"""Every tensor of the published full-size models has a name in ICTrack, or is deliberately left out."""

import re

import pytest
from published_keys import DETECTORS, MODELS, listed_shapes, zero_weights

from ictrack.checkpoint.published import convert_weights, find_source, published_weights

# Beginning of a list's name -> the kind that it is recognized as, and tensors that are left out, as a pattern.
KINDS = {
    "mmdet3": ("mmdet", r"^$"),
    "wxinlong": ("wxinlong", r"^$"),
    "adelaidet": ("adelaidet", r"^$"),
    "pointsetanchor": (
        "psa",
        r"(bbox_head|extra_heads\.0)\.(\w+\.[12]\.0\.\w+|(shape_align_conv_list|norm_list)\.0\.0\.\w+)",
    ),
    "hrnet": ("hrnet", r"(incre_modules|downsamp_modules|final_layer|classifier)\..*"),
    "torchvision": ("torchvision", r"fc\.(weight|bias)"),
    "detectron2": ("detectron2", r"^$"),
}
# The contract of names: what each kind of mask head has.
CATEGORY = r"category_tower\.\d\.(weight|norm\.(weight|bias))|category_output\.(weight|bias)"
MASK_HEADS = {
    "solo": r"mask_tower\.\d\.(weight|norm\.(weight|bias))|mask_outputs\.\d\.(weight|bias)",
    "decoupled_solo": r"mask_tower_[xy]\.\d\.(weight|norm\.(weight|bias))|mask_outputs_[xy]\.\d\.(weight|bias)",
    "decoupled_solo_light": r"mask_tower\.\d\.(weight|norm\.(weight|bias))|mask_outputs_[xy]\.\d\.(weight|bias)",
    "solov2": r"kernel_tower\.\d\.(weight|norm\.(weight|bias))|kernel_output\.(weight|bias)|"
    r"mask_features\.(levels\.\d\.\d|output)\.(weight|norm\.(weight|bias))",
}


def kind_of(model: str) -> tuple[str, str]:
    return KINDS[model.split("_")[0]]


def test_all_lists_are_here():
    assert len(MODELS) == 21 and len(DETECTORS) == 12


@pytest.mark.parametrize("model", MODELS)
def test_every_tensor_is_renamed_or_deliberately_left_out(model):
    listed = zero_weights(model)
    kind, unused = kind_of(model)
    converted = convert_weights(listed)
    assert converted.source.formats[0] == kind
    assert len(converted.weights) + len(converted.unused) == len(listed) > 270
    assert all(re.fullmatch(unused, name) for name in converted.unused)
    assert not any(re.fullmatch(unused, name) for name in listed if name not in converted.unused)
    assert convert_weights(listed, kind).weights.keys() == converted.weights.keys()


@pytest.mark.parametrize("model", [name for name in DETECTORS if "point" not in name])
def test_the_heads_have_the_names_of_their_kind(model):
    kind = re.sub(r"^[^_]+_|_light(?=_r50)|_r50_fpn", "", model) + ("_light" if "solo_light" in model else "")
    heads = {name[5:] for name in convert_weights(zero_weights(model)).weights if name.startswith("head.")}
    pattern = rf"{CATEGORY}|{MASK_HEADS[kind]}"
    assert heads and all(re.fullmatch(pattern, name) for name in heads)


@pytest.mark.parametrize("model", [name for name in DETECTORS if name.startswith("mmdet3")])
def test_the_way_back_is_exact(model):
    listed = zero_weights(model)
    ours = {name: x for name, x in convert_weights(listed).weights.items() if not name.endswith("batches_tracked")}
    back = published_weights(ours, "mmdet")
    assert {name: tuple(x.shape) for name, x in back.items()} == listed_shapes(model)
    assert {name: x.dtype for name, x in back.items()} == {name: x.dtype for name, x in listed.items()}


def test_both_programs_files_of_solo_are_the_same_model():
    """mmdetection's and the authors' files of each kind have the same names and shapes with us."""
    for name in ("solo", "decoupled_solo", "decoupled_solo_light", "solov2"):
        first, second = (
            {ours: x.shape for ours, x in convert_weights(zero_weights(f"{kind}_{name}_r50_fpn")).weights.items()}
            for kind in ("mmdet3", "wxinlong")
        )
        assert first == second
    adelaidet = convert_weights(zero_weights("adelaidet_solov2_r50_fpn")).weights
    assert {ours: x.shape for ours, x in adelaidet.items()} == {
        ours: shape for ours, shape in second.items() if not ours.endswith("batches_tracked")
    }


def test_timm_is_a_name_of_two_kinds():
    assert find_source(listed_shapes("hrnet_w48_timm"), "timm").formats[0] == "hrnet"
    assert find_source(listed_shapes("torchvision_resnet50"), "timm").formats[0] == "torchvision"
