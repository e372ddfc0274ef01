"""The table of published models names what there is."""

from code_blocks import ROOT

from ictrack.checkpoint.published import FORMATS
from ictrack.engine.setup import load_config
from model_zoo_table import PLACE, read_models, zoo_table

MODELS = read_models(ROOT / "projects" / "ICTrack" / "model_zoo.csv")


def test_every_row_is_whole():
    assert len(MODELS) == 32
    for model in MODELS:
        assert model["format"] in FORMATS and model["source"].startswith("https://") and model["license"]
        assert bool(model["ap"]) == bool(model["metric"])
        assert not model["ap"] or 20 < float(model["ap"]) < 80
        assert model["here"] == "not run here"
    assert len({(model["model"], model["format"]) for model in MODELS}) == len(MODELS)


def test_every_configuration_is_there_and_used():
    named = {model["config"] for model in MODELS}
    for config in named:
        load_config(str(ROOT / config))
    folders = (ROOT / "configs" / "SOLO", ROOT / "configs" / "PointSetAnchor")
    assert named == {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.glob("*.yaml")}


def test_the_page_has_the_table():
    assert PLACE in (ROOT / "docs" / "published_weights.md").read_text()
    lines = zoo_table(MODELS).splitlines()
    assert len(lines) == len(MODELS) + 2 and len({line.count("|") for line in lines}) == 1
    assert "33.1 (mask AP, COCO val2017) | not run here" in lines[2]
    assert "not stated" in zoo_table([{**MODELS[0], "ap": ""}])
