"""``ictrack adapt``: a run, and what it says when something is wrong."""

import pytest
from color_model import color_config, save_weights, write_scenes

from ictrack.command.main import main as ictrack


def main(arguments):
    return ictrack(["adapt", *arguments])


@pytest.fixture
def arguments(tmp_path):
    """Of a run on two videos."""
    write_scenes(tmp_path / "videos", ["a", "b"])
    cfg = color_config()
    weights = save_weights(cfg, tmp_path / "image_stage.pth")
    (tmp_path / "model.yaml").write_text(cfg.dump())
    return [
        "--config-file", str(tmp_path / "model.yaml"), "--weights", str(weights),
        "--videos", str(tmp_path / "videos"), "--output", str(tmp_path / "adapted"), "--iterations", "2",
        "--set", "ADAPT.MEASURED_PAIRS", "2", "ADAPT.CLIPS_PER_BATCH", "1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "figure"), [("correspondence", "cell_retrieval"), ("tracklet", "instance_retrieval")]
)
def test_a_run(arguments, tmp_path, capsys, objective, figure):
    assert main(["--objective", objective, *arguments]) == 0
    output = capsys.readouterr().out
    assert "video head, before" in output and figure in output
    assert (tmp_path / "adapted" / "config.yaml").is_file() and (tmp_path / "adapted" / "model_final.pth").is_file()


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--weights", "absent.pth", "absent.pth: no such file"),
        ("--videos", "absent.mp4", "absent.mp4: no such file, folder or glob"),
        ("--config-file", "absent.yaml", "absent.yaml: no such configuration file"),
    ],
)
def test_what_is_wrong_is_named(arguments, flag, value, message, capsys):
    arguments[arguments.index(flag) + 1] = value
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_an_embedding_is_needed(arguments, capsys):
    assert main([*arguments, "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.EMBEDDING.NAME", ""]) == 1
    assert "MODEL.EMBEDDING.NAME" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "2.5"])
def test_the_number_of_iterations_is_checked_as_an_argument(arguments, value):
    arguments[arguments.index("--iterations") + 1] = value
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2


@pytest.mark.parametrize("name", ["taken", "taken/below"])
def test_the_output_is_checked_before_anything_is_read(tmp_path, capsys, name):
    """The configuration does not exist either, which would be said first otherwise."""
    (tmp_path / "taken").write_text("a file")
    arguments = ["--config-file", "nowhere.yaml", "--videos", "nothing.mp4", "--output", str(tmp_path / name)]
    assert main(arguments) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(f"error: {tmp_path / 'taken'}") and "cannot be written" in said
    assert (tmp_path / "taken").read_text() == "a file"


def test_the_configuration_is_not_written_over(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("MODEL: {}")
    arguments = ["--config-file", str(config), "--videos", "nothing.mp4", "--output", str(tmp_path)]
    assert main(arguments) == 1
    assert "is the input" in capsys.readouterr().err.splitlines()[-1] and config.read_text() == "MODEL: {}"
