from __future__ import annotations

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone
from published_keys import listed_shapes
from torch import nn

from ictrack import add_ictrack_config
from ictrack.modeling.backbone import HRFPN, HRNet, PretrainedWeightsError
from ictrack.modeling.backbone.hrnet import hrnet_branch_weights

SMALL = {"width": 4, "num_modules": (1, 1, 1, 1), "num_blocks": (1, 1, 1, 1), "stage1_width": 8}
EXTRA = ("incre_modules", "downsamp_modules", "final_layer", "classifier")


def small_cfg(name: str):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.BACKBONE.NAME = name
    hrnet = cfg.MODEL.HRNET
    hrnet.WIDTH = 4
    hrnet.NUM_MODULES = hrnet.NUM_BLOCKS = [1, 1, 1, 1]
    hrnet.STAGE1_WIDTH = 8
    hrnet.FPN_CHANNELS = 12
    return cfg


def test_branches_from_config():
    backbone = build_backbone(small_cfg("build_hrnet_backbone"))
    assert isinstance(backbone, HRNet)
    shapes = backbone.output_shape()
    assert [(name, s.channels, s.stride) for name, s in shapes.items()] == [
        ("res2", 4, 4),
        ("res3", 8, 8),
        ("res4", 16, 16),
        ("res5", 32, 32),
    ]
    features = backbone(torch.randn(2, 3, 64, 96))
    for name, shape in shapes.items():
        assert features[name].shape == (2, shape.channels, 64 // shape.stride, 96 // shape.stride)


def test_pyramid_from_config():
    backbone = build_backbone(small_cfg("build_hrnet_hrfpn_backbone"))
    assert isinstance(backbone, HRFPN)
    assert backbone.size_divisibility == 32
    shapes = backbone.output_shape()
    assert list(shapes) == ["res2", "res3", "res4", "res5", "p3", "p4", "p5"]
    features = backbone(torch.randn(2, 3, 64, 96))
    for name, shape in shapes.items():
        assert features[name].shape == (2, shape.channels, 64 // shape.stride, 96 // shape.stride)
    sum(features[f"p{i}"].square().mean() for i in (3, 4, 5)).backward()
    assert all(p.grad is not None for p in backbone.parameters())


def test_pyramid_levels_pool_the_reduced_map():
    """With identity convolutions of stride 1 a level is the average pool of the up-sampled, concatenated branches."""
    pyramid = HRFPN(HRNet(**SMALL), out_channels=60, num_levels=2, conv_stride=1).eval()
    assert list(pyramid.output_shape())[-2:] == ["p2", "p3"]
    with torch.no_grad():
        pyramid.reduction.weight.copy_(torch.eye(60)[..., None, None])
        for conv in pyramid.outputs:
            nn.init.dirac_(conv.weight)
        features = pyramid(torch.randn(1, 3, 64, 64))
    torch.testing.assert_close(features["p2"][:, :4], features["res2"])
    pooled = features["res2"].unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean((3, 5))
    torch.testing.assert_close(features["p3"][:, :4], pooled)


def test_branches_are_reduced_before_they_are_up_sampled():
    """As if the up-sampled branches were concatenated."""
    torch.manual_seed(0)
    pyramid = HRFPN(HRNet(**SMALL), out_channels=5, num_levels=1, conv_stride=1)
    nn.init.dirac_(pyramid.outputs[0].weight)
    nn.init.normal_(pyramid.reduction.bias)
    features = pyramid(torch.randn(2, 3, 64, 96))
    branches = [features[f"res{i}"] for i in (2, 3, 4, 5)]
    upsampled = [nn.functional.interpolate(x, size=(16, 24), mode="bilinear") for x in branches]
    expected = pyramid.reduction(torch.cat(upsampled, dim=1))[:, :5]
    torch.testing.assert_close(features["p2"][:, :5], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm_eval", [False, True])
def test_normalizations_are_folded_without_gradients(norm_eval):
    torch.manual_seed(0)
    backbone = HRNet(**SMALL, norm_eval=norm_eval).train(norm_eval)
    for norm in backbone.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            nn.init.normal_(norm.running_mean)
    x = torch.randn(1, 3, 64, 64)
    expected = backbone(x)
    with torch.no_grad():
        folded = backbone(x)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in backbone._folded._copy.modules())
        for name, branch in folded.items():
            torch.testing.assert_close(branch, expected[name], rtol=1e-4, atol=1e-4)
    assert backbone.train()._folded._copy is None


@pytest.mark.parametrize("norm_eval", [False, True])
def test_batch_norm_statistics(norm_eval):
    backbone = HRNet(**SMALL, norm_eval=norm_eval).train()
    before = backbone.model.bn1.running_mean.clone()
    backbone(torch.randn(2, 3, 64, 64) + 3)["res2"].mean().backward()
    assert torch.equal(before, backbone.model.bn1.running_mean) == norm_eval
    assert backbone.model.bn1.weight.grad is not None


@pytest.mark.parametrize(("listing", "width"), [("hrnet_w18_imagenet_official", 18), ("hrnet_w48_timm", 48)])
def test_imagenet_checkpoints_have_our_names_and_shapes(listing, width):
    listed = listed_shapes(listing)
    assert any(name.startswith(EXTRA) for name in listed)
    with torch.device("meta"):
        own = {name: tuple(x.shape) for name, x in HRNet(width=width).model.state_dict().items()}
    assert hrnet_branch_weights(listed) == own


def test_weights_from_a_file(tmp_path):
    donor = HRNet(**SMALL)
    state_dict = donor.model.state_dict()
    state_dict |= {f"{prefix}.0.weight": torch.ones(3) for prefix in EXTRA}
    torch.save(state_dict, tmp_path / "hrnet.pth")
    loaded = HRNet(**SMALL, weights=str(tmp_path / "hrnet.pth")).model.state_dict()
    assert all(torch.equal(x, state_dict[name]) for name, x in loaded.items())

    state_dict["conv1.weight"] = torch.zeros(64, 3, 5, 5)
    del state_dict["bn1.bias"]
    torch.save(state_dict, tmp_path / "bad.pth")
    with pytest.raises(PretrainedWeightsError, match=r"bad\.pth.* 2 tensors differ: bn1\.bias: None.*conv1\.weight"):
        HRNet(**SMALL, weights=str(tmp_path / "bad.pth"))
    with pytest.raises(PretrainedWeightsError, match="absent"):
        HRNet(**SMALL, weights=str(tmp_path / "absent.pth"))


@pytest.mark.parametrize("trained", [True, False], ids=["trained", "from nothing"])
def test_imagenet_weights_are_sought_only_when_starting_from_nothing(trained, monkeypatch):
    """Without a network, a trained detector is built; what starts from ImageNet ends in one line that names the key."""

    def offline(name, **options):
        raise ConnectionError(f"no network for {name}\nand seventy more lines")

    monkeypatch.setattr("timm.create_model", offline)
    cfg = small_cfg("build_hrnet_hrfpn_backbone")
    cfg.MODEL.HRNET.WEIGHTS = "timm"
    if trained:
        cfg.MODEL.WEIGHTS = "posetrack_stage1/model_final.pth"
        assert "p3" in build_backbone(cfg).output_shape()
        cfg.MODEL.ALLOW_PARTIAL_WEIGHTS = True  # which need not have a backbone
    with pytest.raises(PretrainedWeightsError, match=r"MODEL\.HRNET\.WEIGHTS .*no network for hrnet_w4\)") as error:
        build_backbone(cfg)
    assert "\n" not in str(error.value)
