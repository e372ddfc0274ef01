"""``ictrack export`` and ``ictrack track --onnx``, the latter in a process without PyTorch and Detectron2."""

from __future__ import annotations

import subprocess

import pytest
from exported import command_without_torch, small_poses, small_solo, write_frames, write_street

from ictrack.command.main import main
from ictrack.data.video_io import open_frames


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


def write_config(cfg, folder):
    path = folder / "config.yaml"
    path.write_text(cfg.dump())
    return path


@pytest.mark.parametrize("make", [small_solo, small_poses], ids=["masks", "poses"])
def test_tracks_without_pytorch_are_the_same(make, tmp_path):
    config = write_config(make(tmp_path), tmp_path)
    clip, model = write_frames(tmp_path / "clip"), tmp_path / "model.onnx"
    assert main(["export", "--config-file", str(config), "--output", str(model)]) == 0
    outputs = {}
    for name in ("expected", "found"):
        outputs[name] = tmp_path / f"{name}.csv"
        arguments = ["--input", clip, "--save-tracks", outputs[name], "--output", tmp_path / f"{name}.mp4"]
        arguments += ["--crop-gallery", tmp_path / name]
        if name == "expected":
            assert main(["track", "--config-file", str(config), *map(str, arguments)]) == 0
        else:
            command = command_without_torch("track", "--onnx", model, *arguments)
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    expected, found = (path.read_text().splitlines() for path in outputs.values())
    assert len(found) == len(expected) > 10
    columns = expected[0].split(",")
    keys = [columns.index(name) for name in ("frame", "track_id", "class_name") if name in columns]
    assert len(keys) >= 2
    for ours, theirs in zip(found, expected):
        assert [ours.split(",")[key] for key in keys] == [theirs.split(",")[key] for key in keys]
    assert open_frames(tmp_path / "found.mp4").length == 6
    assert {p.name for p in (tmp_path / "found").iterdir()} == {p.name for p in (tmp_path / "expected").iterdir()}


def test_default_models_without_pytorch(tmp_path):
    """Those that `ictrack track` runs without a configuration, at their full size."""
    clip = write_street(tmp_path / "clip", 3)
    for task in ("boxes", "pose"):
        model = tmp_path / f"{task}.onnx"
        assert main(["export", "--task", task, "--output", str(model)]) == 0
        tracks = [tmp_path / f"{task}_{name}.csv" for name in ("expected", "found")]
        arguments = ["--input", str(clip), "--device", "cpu", "--save-tracks"]
        assert main(["track", "--task", task, *arguments, str(tracks[0])]) == 0
        done = subprocess.run(
            command_without_torch("track", "--onnx", model, *arguments, tracks[1]), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        expected, found = ([line.split(",") for line in path.read_text().splitlines()] for path in tracks)
        keys = [expected[0].index(name) for name in ("frame", "track_id", "category")]
        assert [[line[key] for key in keys] for line in found] == [[line[key] for key in keys] for line in expected]
        assert len(found) > 6


def test_keys_of_the_tracker_and_classes(tmp_path, capsys):
    config, clip = write_config(small_solo(tmp_path), tmp_path), write_frames(tmp_path / "clip", 2)
    model, tracks = tmp_path / "model.onnx", tmp_path / "tracks.csv"
    names = ["MODEL.CLASSES", "['cat', 'dog']"]
    assert main(["export", "--config-file", str(config), "--output", str(model), *names]) == 0
    run = ["track", "--onnx", str(model), "--input", str(clip), "--save-tracks", str(tracks)]
    assert main(run) == 0
    every = tracks.read_text()
    assert "cat" in every and "dog" in every
    assert main([*run, "--classes", "dog", "--device", "cpu", "TRACKER_HEADS.MAX_DETECTIONS", "1"]) == 0
    only = tracks.read_text().splitlines()
    assert len(only) == 3 and all("dog" in line for line in only[1:])
    capsys.readouterr()
    assert main([*run, "TRACKER_HEADS.NO_SUCH", "1"]) == 1
    assert "TRACKER_HEADS.NO_SUCH: cannot be changed" in capsys.readouterr().err
    assert main([*run, "--classes", "cow"]) == 1
    assert "no class 'cow'" in capsys.readouterr().err


def test_a_configuration_and_a_default_model(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["export", "--config-file", "x.yaml", "--task", "pose", "--output", str(tmp_path / "m.onnx")])
    assert "--task is that of a default model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--config-file", "x.yaml"], "no --config-file"),
        (["--task", "pose"], "no --task"),
        (["--amp"], "no --amp"),
        (["--tracker", "BBoxIOUTracker"], "none of EmbeddingTracker, SpatialTracker"),
    ],
)
def test_arguments_that_contradict_an_exported_model(more, message, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["track", "--onnx", "m.onnx", "--input", "x", "--save-tracks", str(tmp_path / "t.csv"), *more])
    assert message in capsys.readouterr().err
