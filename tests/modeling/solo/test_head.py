from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.solo import GridMaskHead
from ictrack.modeling.solo.layers import CoordConv


def make_head(**overrides) -> GridMaskHead:
    arguments = {"in_channels": 16, "num_classes": 3, "num_grids": [6, 5, 4], "strides": [8, 8, 16]}
    arguments |= {"conv_dim": 16, "num_convs": 2, "num_groups": 4, "prior_prob": 0.01, **overrides}
    return GridMaskHead(**arguments)


def test_coord_conv_is_a_convolution_of_concatenated_coordinates():
    conv = CoordConv(4, 8, 3, padding=1, bias=False, norm=nn.GroupNorm(2, 8), activation=F.relu)
    x = torch.randn(2, 4, 5, 7)
    xs = torch.linspace(-1, 1, 7).expand(2, 1, 5, 7)
    ys = torch.linspace(-1, 1, 5).view(1, 1, 5, 1).expand(2, 1, 5, 7)
    expected = F.relu(conv.norm(F.conv2d(torch.cat([x, xs, ys], dim=1), conv.weight, padding=1)))
    assert torch.allclose(conv(x), expected, atol=1e-5)


def test_gain_of_the_coordinates():
    torch.manual_seed(0)
    plain = make_head().mask_tower[0].weight
    torch.manual_seed(0)
    raised = make_head(coord_gain=40.0).mask_tower[0].weight
    assert torch.allclose(raised[:, -2:], 40 * plain[:, -2:])
    assert torch.equal(raised[:, :-2], plain[:, :-2])


@torch.no_grad()
def test_filters_before_or_after_up_sampling():
    head = make_head()
    head.mask_outputs[1].weight.mul_(100)
    features = torch.randn(16, 6, 9)
    cells = torch.tensor([24, 0, 7, 7])
    up = F.interpolate(features[None], scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(head.mask_logits(1, [features], [cells]), head.mask_outputs[1](up)[0, cells], atol=1e-4)


@torch.no_grad()
def test_mask_features_of_some_images_are_those_of_the_batch():
    head = make_head()
    shared = torch.randn(3, 16, 8, 8)
    inputs = [shared, shared, torch.randn(3, 16, 4, 4)]
    everything = [head.mask_tower(x) for x in inputs]
    rows = []
    head.mask_tower.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    images = [[0, 2], [1, 2], []]
    for level, features in enumerate(head.mask_maps({}, inputs, images)):
        assert len(features) == len(images[level])
        for image, x in zip(images[level], features):
            assert torch.allclose(x, everything[level][image], atol=1e-5)
    assert rows == [3]  # the two levels of one input share its three maps, the third level is not run


def test_initial_probabilities():
    head = make_head(prior_prob=0.02)
    for conv in (head.category_output, *head.mask_outputs):
        assert conv.bias.sigmoid().tolist() == pytest.approx([0.02] * len(conv.bias))
    assert head.mask_outputs[0].weight.std().item() == pytest.approx(0.01, rel=0.2)
    assert math.isclose(head.category_tower[0].norm.weight.mean().item(), 1)


def test_a_tower_needs_a_convolution():
    with pytest.raises(ValueError, match="NUM_CONVS is 0"):
        make_head(num_convs=0)
