import pytest

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError
from ictrack.engine.setup import load_config
from ictrack.model_zoo import CONFIGS, get_config_file, get_model_file
from ictrack.modeling.build import build_model


@pytest.mark.parametrize("task", CONFIGS)
def test_weights_set_the_whole_model(task):
    cfg = load_config(str(get_config_file(task)), ["MODEL.DEVICE", "cpu"])
    incompatible = SafeCheckpointer(build_model(cfg))._load_model(
        {"model": SafeCheckpointer(build_model(cfg))._load_file(str(get_model_file(cfg.MODEL.WEIGHTS[10:])))["model"]}
    )
    assert not incompatible.missing_keys and not incompatible.unexpected_keys


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
