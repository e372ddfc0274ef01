import pytest
import torch

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError, load_weights_file
from ictrack.engine.setup import load_config
from ictrack.model_zoo import CONFIGS, get_config_file, get_model_file
from ictrack.model_zoo.model_zoo import PREFIX
from ictrack.modeling import TimmBackbone
from ictrack.modeling.backbone.timm_weights import PretrainedWeightsError, load_timm_state_dict
from ictrack.modeling.build import build_model


@pytest.mark.parametrize("task", CONFIGS)
def test_weights_set_the_whole_model(task):
    cfg = load_config(str(get_config_file(task)), ["MODEL.DEVICE", "cpu"])
    model = build_model(cfg)
    weights = load_weights_file(get_model_file(cfg.MODEL.WEIGHTS.removeprefix(PREFIX)))["model"]
    incompatible = model.load_state_dict(weights, strict=False)
    assert not incompatible.missing_keys and not incompatible.unexpected_keys


def test_the_embedding_backbone_keeps_its_weights_and_statistics(caplog):
    cfg = load_config(str(get_config_file("boxes")), ["MODEL.DEVICE", "cpu"])
    model = build_model(cfg)
    before = {name: value.clone() for name, value in model.feature_backbone.state_dict().items()}
    SafeCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    assert all(torch.equal(value, before[name]) for name, value in model.feature_backbone.state_dict().items())
    norm = model.feature_backbone.backbone.norms[0]
    statistics = load_weights_file(get_model_file("efficientnet_lite0_taps.safetensors"))["model"]
    torch.testing.assert_close(norm.running_mean, statistics["0.running_mean"])
    pretrained = load_timm_state_dict(cfg.MODEL.TIMM.NAME, cfg.MODEL.TIMM.WEIGHTS)["conv_stem.weight"]
    torch.testing.assert_close(model.feature_backbone.backbone.model.conv_stem.weight, pretrained)


def test_statistics_of_another_model_are_refused():
    path = "ictrack://efficientnet_lite0_taps.safetensors"
    with pytest.raises(PretrainedWeightsError, match=r"is not of MODEL\.TIMM\.NAME"):
        TimmBackbone("resnet10t", freeze=True, statistics=path)
    with pytest.raises(ValueError, match=r"needs MODEL\.TIMM\.FREEZE"):
        TimmBackbone("tf_efficientnet_lite0", statistics=path)


def test_the_named_folder_comes_first(monkeypatch, tmp_path):
    (tmp_path / "nanodet_g.safetensors").write_bytes(b"")
    monkeypatch.setenv("ICTRACK_MODELS", str(tmp_path))
    assert get_model_file("nanodet_g.safetensors").parent == tmp_path


def test_a_missing_file_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("ICTRACK_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    cfg = load_config(str(get_config_file("boxes")), ["MODEL.DEVICE", "cpu"])
    with pytest.raises((CheckpointError, OSError), match=r"ictrack://other.safetensors: not found in .*ICTRACK_MODELS"):
        SafeCheckpointer(build_model(cfg)).load("ictrack://other.safetensors")
