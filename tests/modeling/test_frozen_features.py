"""Remembered features of frozen backbones: which parts, for how long, and that nothing but the time changes."""

import pytest
import torch
from torch import nn

from ictrack.modeling.backbone import FPNWithTaps, TimmBackbone
from ictrack.modeling.frozen_features import cache_frozen_features


class Counting(nn.Conv2d):
    """A convolution that counts its calls."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x)


class Net(nn.Module):
    """A frozen convolution under one that trains."""

    def __init__(self):
        super().__init__()
        self.frozen, self.trained = Counting(3, 4, 3), Counting(4, 2, 1)
        self.frozen.requires_grad_(False)
        self.train()

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, x):
        return self.trained(self.frozen(x))


def images(*seeds, size=(2, 3, 8, 8)):
    return [torch.randn(size, generator=torch.Generator().manual_seed(seed)) for seed in seeds]


def test_the_frozen_part_runs_once_for_each_input():
    net = Net()
    expected = [net(x) for x in images(0, 1)]
    net.frozen.calls = net.trained.calls = 0
    assert cache_frozen_features(net, net, num_uses=3) == 1
    for _ in range(3):
        for x, y in zip(images(0, 1), expected):  # other tensors of equal content
            assert torch.equal(net(x), y)
    assert (net.frozen.calls, net.trained.calls) == (2, 6)


def test_an_input_is_forgotten_after_its_last_use():
    net = Net()
    cache_frozen_features(net, net, num_uses=2)
    first, second = images(0, 1)
    for x in (first, second, second, first):  # in any order
        net(x)
    assert net.frozen.calls == 2 and not net.frozen.forward._outputs
    net(first)
    assert net.frozen.calls == 3


def test_a_batch_may_come_in_several_inputs():
    """As clips do, of which a few frames are read at a time."""
    net = Net()
    cache_frozen_features(net, net, num_uses=3)
    batches = [images(0, 1, 2, 3), images(4, 5, 6, 7)]
    for batch in [*batches, *reversed(batches), *batches]:
        for x in batch:
            net(x)
    assert net.frozen.calls == 8 and not net.frozen.forward._outputs


def test_equal_values_in_another_shape_are_another_input():
    net = Net()
    cache_frozen_features(net, net, num_uses=4)
    x = torch.zeros(1, 3, 8, 16)
    assert net(x).shape[-2:] != net(x.view(1, 3, 16, 8)).shape[-2:]


def test_nothing_is_remembered_in_evaluation_mode():
    net = Net()
    cache_frozen_features(net, net, num_uses=2)
    net.eval()
    (x,) = images(0)
    net(x), net(x)
    assert net.frozen.calls == 2


def test_hooks_run_and_names_of_weights_stay():
    net, names = Net(), list(Net().state_dict())
    cache_frozen_features(net, net, num_uses=2)
    assert list(net.state_dict()) == names
    seen = []
    net.frozen.register_forward_hook(lambda *args: seen.append(args[2]))
    (x,) = images(0)
    net(x), net(x)
    assert len(seen) == 2 and torch.equal(*seen)


@pytest.mark.parametrize("freeze, parts", [(True, 1), (False, 0)])
def test_of_a_timm_backbone_under_a_pyramid_the_timm_model_is_frozen(freeze, parts):
    torch.manual_seed(0)
    backbone = FPNWithTaps(TimmBackbone("tf_efficientnet_lite0", freeze=freeze), out_channels=8)
    assert cache_frozen_features(backbone, backbone, num_uses=3) == parts
    (x,) = images(0, size=(1, 3, 64, 64))
    taps = [backbone(x)["res3"] for _ in range(2)]
    torch.testing.assert_close(*taps)
    sum(map(torch.sum, backbone(x).values())).backward()
    assert all(p.grad is not None for p in backbone.fpn.parameters())


def test_of_a_backbone_that_is_frozen_as_a_whole_the_pyramid_is_remembered_too():
    backbone = FPNWithTaps(TimmBackbone("tf_efficientnet_lite0"), out_channels=8).requires_grad_(False).eval()
    model = nn.ModuleList([backbone])
    assert cache_frozen_features(model, backbone, num_uses=9) == 1
    (x,) = images(0, size=(1, 3, 64, 64))
    model.training = True
    assert backbone(x) is backbone(x)
