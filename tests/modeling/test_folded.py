"""A frozen model without its normalizations: the same outputs, whatever becomes of its weights."""

import copy

import pytest
import timm
import torch
from torch import nn

from ictrack.modeling.backbone import TimmBackbone
from ictrack.modeling.backbone.folded import FoldedForward
from ictrack.modeling.winograd import WinogradConv2d

X = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def random_model(name):
    """timm's features with normalizations that change something."""
    torch.manual_seed(0)
    model = timm.create_model(name, features_only=True)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.normal_(std=0.1), norm.running_var.uniform_(0.5, 2)
            nn.init.uniform_(norm.weight, 0.5, 1.5), nn.init.normal_(norm.bias, std=0.1)
    return model.eval().requires_grad_(False)


def assert_same(model, expected):
    for ours, theirs in zip(model(X), expected):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))


def winograd_channels(model):
    return {m.out_channels for m in model.forward._copy.modules() if isinstance(m, WinogradConv2d)}


def num_norms(model):
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.forward._copy.modules())


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050"])
@torch.no_grad()
def test_outputs(name):
    model = random_model(name)
    expected, keys = model(X), set(model.state_dict())
    model.forward = FoldedForward(model)
    assert_same(model, expected)
    assert num_norms(model) == 0 and set(model.state_dict()) == keys


@torch.no_grad()
def test_changed_weights_are_seen():
    model = random_model("resnet18")
    model.forward = FoldedForward(model)
    model(X)
    assert winograd_channels(model) == {256, 512}
    other = random_model("resnet18")
    other.load_state_dict({key: value * 1.1 for key, value in other.state_dict().items()})
    model.load_state_dict(other.state_dict())
    assert_same(model, other(X))
    copied = copy.deepcopy(model)
    assert_same(copied, other(X))
    assert_same(model, other(X))


class Shared(nn.Module):
    """Model in which the normalization does not come after the convolution that is before it in the list."""

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3)
        self.norm.running_mean.fill_(1.0)

    def forward(self, x):
        return [self.second(self.first(self.norm(x)))]


@torch.no_grad()
def test_modules_in_another_order_are_left_as_they_are():
    torch.manual_seed(0)
    model = Shared().eval()
    expected = model(X)
    model.forward = FoldedForward(model)
    assert_same(model, expected)
    assert num_norms(model) == 1


def test_a_frozen_backbone_is_folded():
    backbone = TimmBackbone("tf_efficientnet_lite0", freeze=True).eval()
    with torch.inference_mode():
        backbone(X)
    assert num_norms(backbone.model) == 0
    assert not isinstance(vars(TimmBackbone("tf_efficientnet_lite0").model).get("forward"), FoldedForward)
