"""Deformable convolutions, and SOLO's heads and backbones with them, against loops over sample points in float64."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from exported import small_deformable
from parity_solo import dataset_dicts, tiny_cfg
from parity_solo_family import family_cfg
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.build import build_model
from ictrack.modeling.deformable import DeformableConv2d, deform
from ictrack.modeling.export import exported_graph


def value_at(image, y, x):
    """(C,) bilinear value of (C, H, W) at a point, with zeros around the image."""
    total = torch.zeros(image.shape[0], dtype=torch.float64)
    top, left = int(y // 1), int(x // 1)
    for row, column in itertools.product((top, top + 1), (left, left + 1)):
        if 0 <= row < image.shape[1] and 0 <= column < image.shape[2]:
            total += (1 - abs(y - row)) * (1 - abs(x - column)) * image[:, row, column]
    return total


def plain_deformable(image, layer):
    """(D, h, w) float64 of (C, H, W) float64: each cell, each tap, each group."""
    geometry = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
    moved = F.conv2d(image[None], layer.offset.weight.double(), layer.offset.bias.double(), **geometry)[0]
    width = layer.kernel_size[1]
    num_taps = layer.kernel_size[0] * width
    weight = layer.weight.double().flatten(2)
    inputs = weight.shape[1]
    outputs = weight.shape[0] // layer.groups
    result = torch.zeros(weight.shape[0], *moved.shape[1:], dtype=torch.float64)
    for i, j, tap in itertools.product(range(moved.shape[1]), range(moved.shape[2]), range(num_taps)):
        y = i * layer.stride[0] - layer.padding[0] + tap // width * layer.dilation[0] + float(moved[2 * tap, i, j])
        x = j * layer.stride[1] - layer.padding[1] + tap % width * layer.dilation[1] + float(moved[2 * tap + 1, i, j])
        value = value_at(image, y, x)
        if layer.modulated:
            value = value / (1 + torch.exp(-moved[2 * num_taps + tap, i, j]))
        for group in range(layer.groups):
            rows = slice(group * outputs, (group + 1) * outputs)
            result[rows, i, j] += weight[rows, :, tap] @ value[group * inputs : (group + 1) * inputs]
    return result


def move_taps(model, seed=0):
    """Random offsets of about a cell, and factors that are not all alike."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, DeformableConv2d):
            nn.init.normal_(module.offset.weight, std=1 / module.offset.weight[0].numel() ** 0.5)
            nn.init.normal_(module.offset.bias)


@pytest.mark.parametrize("modulated", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "padding": 1, "stride": 2},
        {"kernel_size": 3, "padding": 2, "dilation": 2, "groups": 2},
        {"kernel_size": 1},
        {"kernel_size": (1, 3), "padding": (0, 1)},
    ],
)
@torch.no_grad()
def test_a_loop_over_sample_points(options, modulated):
    layer = DeformableConv2d(4, 6, bias=False, modulated=modulated, **options)
    move_taps(layer)
    images = torch.rand(2, 4, 6, 5)
    expected = torch.stack([plain_deformable(image.double(), layer) for image in images])
    torch.testing.assert_close(layer(images).double(), expected, rtol=0, atol=1e-5)
    # In an export, of images of another size, too.
    traced = torch.jit.trace(layer, torch.rand(2, 4, 9, 8))
    torch.testing.assert_close(traced(images).double(), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_a_plain_convolution_becomes_one():
    torch.manual_seed(0)
    plain = Conv2d(3, 4, 3, padding=1, stride=2, norm=FrozenBatchNorm2d(4), activation=F.relu)
    plain.norm.running_mean.uniform_(-1, 1)
    image = torch.rand(1, 3, 8, 6)
    torch.testing.assert_close(deform(plain, modulated=False)(image), plain(image))
    plain.norm = None
    plain.activation = None
    plain.bias.zero_()
    torch.testing.assert_close(deform(plain, modulated=True)(image), plain(image) / 2)


def test_gradients_reach_offsets_also_in_half_precision():
    layer = DeformableConv2d(3, 4, 3, padding=1, modulated=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.rand(1, 3, 6, 6)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    assert layer.offset.weight.grad.abs().sum() > 0


def with_coordinates(x):
    """(C + 2, H, W) of (C, H, W): x and y from -1 to 1."""
    height, width = x.shape[1:]
    y, x_ = torch.meshgrid(
        torch.linspace(-1, 1, height, dtype=torch.float64),
        torch.linspace(-1, 1, width, dtype=torch.float64),
        indexing="ij",
    )
    return torch.cat([x, x_[None], y[None]])


def plain_layer(x, layer):
    """Convolution, GroupNorm, ReLU of (C, H, W)."""
    if isinstance(layer, DeformableConv2d):
        x = plain_deformable(x, layer)
    else:
        x = F.conv2d(x[None], layer.weight.double(), padding=layer.padding)[0]
    norm = layer.norm
    return F.group_norm(x[None], norm.num_groups, norm.weight.double(), norm.bias.double(), norm.eps)[0].relu()


def resized(x, size):
    return F.interpolate(x[None], size=size, mode="bilinear", align_corners=False)[0]


def plain_dynamic_head(head, features, inputs):
    """Raw outputs of SOLOv2's head for one image, in the order of mmdetection's text."""
    outputs = {}
    for level, (x, side) in enumerate(zip(inputs, head.num_grids)):
        kernel = resized(with_coordinates(x), (side, side))
        category = kernel[:-2]
        for layer in head.category_tower:
            category = plain_layer(category, layer)
        for layer in head.kernel_tower:
            kernel = plain_layer(kernel, layer)
        for name, y, layer in (
            ("category_logits", category, head.category_output),
            ("mask_filters", kernel, head.kernel_output),
        ):
            outputs[f"{name}_{level}"] = F.conv2d(y[None], layer.weight.double(), layer.bias.double(), padding=1)[0]
    total = torch.zeros((), dtype=torch.float64)
    for i, (x, layers) in enumerate(zip(features, head.mask_features.levels)):
        if i == len(head.mask_features.levels) - 1:
            x = with_coordinates(x)
        for layer in layers:
            x = plain_layer(x, layer)
            if i:
                x = resized(x, (2 * x.shape[1], 2 * x.shape[2]))
        total = total + x
    outputs["mask_features"] = plain_layer(total, head.mask_features.output)
    return outputs


@pytest.mark.parametrize(("num_deformable", "of_features", "modulated"), [(2, True, True), (1, False, False)])
@torch.no_grad()
def test_solov2_with_deformable_towers(num_deformable, of_features, modulated):
    cfg = family_cfg("dynamic")
    cfg.MODEL.SOLO.NUM_GRIDS = [7, 6, 5, 4, 3]
    cfg.MODEL.SOLO.DEFORM_CONVS = num_deformable
    cfg.MODEL.SOLO.MASK_FEATURES.DEFORM = of_features
    cfg.MODEL.RESNETS.DEFORM_MODULATED = modulated
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    head = model.head
    for tower in (head.category_tower, head.kernel_tower):
        kinds = [isinstance(layer, DeformableConv2d) for layer in tower]
        assert kinds == [i >= len(kinds) - num_deformable for i in range(len(kinds))]
        assert all(not layer.offset.weight.any() for layer in tower if isinstance(layer, DeformableConv2d))
    move_taps(model)
    for module in model.head.modules():
        if isinstance(module, nn.GroupNorm):
            module.weight.uniform_(0.5, 1.5), module.bias.uniform_(-0.5, 0.5)
    image = torch.rand(1, 3, 64, 96)
    found = exported_graph(model, "raw")(image)
    outputs = model.forward_features(image)
    inputs = [x[0].double() for x in outputs.inputs]
    features = [outputs.features[name][0].double() for name in ("p2", "p3", "p4", "p5")]
    expected = plain_dynamic_head(head, features, inputs)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name][0].double(), value, rtol=0, atol=1e-4)


@torch.no_grad()
def test_a_bottleneck_of_a_deformable_resnet():
    cfg = tiny_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_deformable_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE = [False, True, False, True]
    cfg.MODEL.RESNETS.DEFORM_MODULATED = True
    cfg.MODEL.SOLO.TRAIN_BACKBONE_NORM = True
    model = build_model(cfg).eval()
    stages = model.backbone.bottom_up.stages
    for stage, is_on in zip(stages, cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE):
        assert all(isinstance(block.conv2, DeformableConv2d) == is_on for block in stage)
    move_taps(model)
    block = stages[1][0]
    assert block.conv2.stride == (2, 2) and block.conv2.norm.weight.requires_grad
    for norm in (block.conv1.norm, block.conv2.norm, block.conv3.norm, block.shortcut.norm):
        norm.running_mean.uniform_(-0.1, 0.1), norm.running_var.uniform_(0.5, 1.5), norm.weight.data.uniform_(0.5, 1.5)
    x = torch.rand(1, block.conv1.in_channels, 8, 6)

    def normalized(y, layer):
        norm = copy.deepcopy(layer.norm).double()
        return F.batch_norm(y[None], norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)[0]

    def convolved(y, layer):
        return F.conv2d(y[None], layer.weight.double(), stride=layer.stride)[0]

    one = x[0].double()
    y = normalized(convolved(one, block.conv1), block.conv1).relu()
    y = normalized(plain_deformable(y, block.conv2), block.conv2).relu()
    y = normalized(convolved(y, block.conv3), block.conv3) + normalized(convolved(one, block.shortcut), block.shortcut)
    torch.testing.assert_close(block(x)[0].double(), y.relu(), rtol=0, atol=1e-5)


def test_a_training_step_reaches_every_offset(tmp_path):
    model = build_model(small_deformable(tmp_path)).train()
    losses = model(dataset_dicts())
    assert losses and all(x.isfinite() for x in losses.values())
    sum(losses.values()).backward()
    offsets = {name: p.grad for name, p in model.named_parameters() if ".offset." in name}
    assert len(offsets) > 20 and all(g is not None and g.isfinite().all() for g in offsets.values())
    assert sum(bool(g.any()) for g in offsets.values()) > 20


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["MODEL.RESNETS.DEFORM_NUM_GROUPS", 2], "DEFORM_NUM_GROUPS is 2"),
        (["MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64], "needs bottlenecks"),
    ],
)
def test_what_no_published_model_has(keys, message):
    cfg = tiny_cfg()
    cfg.MODEL.BACKBONE.NAME = "build_deformable_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.DEFORM_ON_PER_STAGE = [False, True, True, True]
    cfg.merge_from_list(keys)
    with pytest.raises(ValueError, match=message):
        build_model(cfg)
