"""The command, from a file to a file."""

import parity_solo
import pytest
import torch

from ictrack.command.main import main
from ictrack.engine.setup import load_config


@pytest.fixture()
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": parity_solo.published_weights("wxinlong")}, "solo.pth")
    return "solo.pth"


def test_one_command(source, capsys):
    assert main(["convert", source, "--output", "out.safetensors"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "source: SOLO family of github.com/WXinlong/SOLO (wxinlong)",
        "model: SOLO",
        "set: backbone 265, feature pyramid 16, head 54",
        "deliberately unused: num_batches_tracked 53",
        "out.safetensors: written",
        "out.yaml: written",
    ]
    assert load_config("out.yaml").MODEL.WEIGHTS == "out.safetensors"


def test_flags_and_keys_in_any_order(source, capsys):
    keys = ["MODEL.SOLO.NMS_CLASS_AGNOSTIC", "True"]
    assert main(["convert", source, "--format", "wxinlong", "--output", "out.pth", *keys]) == 0
    assert load_config("out.yaml").MODEL.SOLO.NMS_CLASS_AGNOSTIC
    assert main(["convert", "--output", "again.pth", "--config-file", "out.yaml", source, *keys]) == 0
    # Overrides shrink or change the model that the file is checked against.
    keys = ["MODEL.SOLO.NUM_CLASSES", "3"]
    assert main(["convert", source, "--config-file", "out.yaml", "--output", "x.pth", *keys]) == 1
    assert "head.category_output.weight (8, 64, 3, 3), the model's (3, 64, 3, 3)" in capsys.readouterr().err


def test_a_mistake_is_one_line(source, capsys):
    for arguments, message in (
        (["no.pth", "--output", "out.pth"], "no.pth: no such file"),
        ([source, "--output", source], "solo.pth: is the input solo.pth"),
        ([source, "--output", "out.pth", "--format", "psa"], "solo.pth: is not a file of psa"),
        ([source, "--output", "out.pth", "--config-file", "no.yaml"], "no.yaml: no such configuration file"),
    ):
        assert main(["convert", *arguments]) == 1
        error = capsys.readouterr().err
        assert message in error and len(error.splitlines()) == 1
