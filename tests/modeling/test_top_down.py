import copy

import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling.backbone import FPN, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7

from ictrack.modeling.backbone.top_down import InPlaceFPN, add_in_place

STRIDES = {"res3": 8, "res4": 16, "res5": 32}


class GivenFeatures(Backbone):
    def forward(self, x):
        return x

    def output_shape(self):
        return {name: ShapeSpec(channels=stride, stride=stride) for name, stride in STRIDES.items()}


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("fuse_type", ["sum", "avg"])
@pytest.mark.parametrize("top_block", [None, LastLevelMaxPool(), LastLevelP6P7(32, 4, "res5")])
def test_levels_are_those_of_detectron2(memory_format, fuse_type, top_block):
    torch.manual_seed(0)
    plain = FPN(GivenFeatures(), list(STRIDES), 4, top_block=top_block, fuse_type=fuse_type)
    fast = copy.deepcopy(plain)
    add_in_place(fast)
    assert type(fast) is InPlaceFPN
    features = {
        name: torch.randn(2, stride, 128 // stride, 192 // stride).to(memory_format=memory_format)
        for name, stride in STRIDES.items()
    }
    given = copy.deepcopy(features)
    with torch.no_grad():
        expected, found = plain(features), fast(features)
    assert list(found) == list(expected)
    for name, level in expected.items():
        assert torch.equal(found[name], level)
    assert all(torch.equal(features[name], given[name]) for name in STRIDES)
    fast(features)["p3"].sum().backward()  # with gradients it is Detectron2's own
    assert fast.fpn_lateral5.weight.grad is not None
