"""``ictrack track`` from its command line to its files, with a detector whose right answer is known."""

import json
from pathlib import Path

import pytest
import torch
from color_detector import ColorDetector, scene
from detectron2.modeling import META_ARCH_REGISTRY

from ictrack.command.main import main
from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter
from ictrack.structures.track_formats import format_of

NUM_FRAMES = 12


@META_ARCH_REGISTRY.register()
class ColorDetectorFromConfig(ColorDetector):
    def __init__(self, cfg):
        super().__init__(cfg.INPUT.FORMAT)


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


@pytest.fixture()
def arguments(tmp_path):
    """Command line of a whole run, as a dictionary."""
    (tmp_path / "config.yaml").write_text(
        "MODEL: {META_ARCHITECTURE: ColorDetectorFromConfig, DEVICE: cuda}\n"
        "INPUT: {MIN_SIZE_TEST: 64, FORMAT: RGB}\nDATASETS: {TRAIN: [], TEST: []}\n"
    )
    torch.save({"model": {"anchor": torch.zeros(1)}}, tmp_path / "weights.pth")
    with VideoWriter(tmp_path / "clip.mp4", 12) as writer:
        for index in range(NUM_FRAMES):
            writer.write(scene(index))
    return {
        "--config-file": str(tmp_path / "config.yaml"),
        "--weights": str(tmp_path / "weights.pth"),
        "--input": str(tmp_path / "clip.mp4"),
        "--output": str(tmp_path / "tracked.mp4"),
        "--save-tracks": str(tmp_path / "tracks.json"),
        "--device": "cpu",
    }


def run(arguments, *more):
    return main(["track", *(part for pair in arguments.items() for part in pair), *more])


def test_video_and_tracks_are_written(arguments, capsys):
    assert run(arguments) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert f"{NUM_FRAMES} frames, 3 tracks, {3 * NUM_FRAMES - 6} detections" in last and "frames/s" in last
    assert arguments["--output"] in last and arguments["--save-tracks"] in last
    assert open_frames(arguments["--output"]).length == NUM_FRAMES
    tracks = json.loads(Path(arguments["--save-tracks"]).read_text())
    assert len(tracks["annotations"]) == 3


def test_flags_and_keys_override_the_configuration(arguments):
    more = ["--max-frames", "4", "--tracker", "SpatialTracker", "TRACKER_HEADS.SPATIAL.MAX_DISTANCE", "0.0"]
    assert run(arguments, *more) == 0
    tracks = json.loads(Path(arguments["--save-tracks"]).read_text())
    assert tracks["videos"][0]["length"] == 4
    assert len(tracks["annotations"]) == 12, "no match within distance 0: every detection is a new object"


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--input", "absent.mp4", "absent.mp4: no such file"),
        ("--weights", "absent.pth", "absent.pth"),
        ("--config-file", "absent.yaml", "absent.yaml"),
    ],
)
def test_bad_input_is_named_without_a_traceback(arguments, capsys, flag, value, message):
    assert run({**arguments, flag: value}) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "more", "message"),
    [
        ("tracks.avi", [], "tracks.avi: no format has this suffix"),
        ("tracks.json", ["--format", "kitti"], "'kitti' is no format of tracks; the formats are youtube-vis, coco"),
    ],
)
def test_unknown_formats_are_refused_before_the_model_is_read(arguments, tmp_path, capsys, file, more, message):
    assert run({**arguments, "--save-tracks": str(tmp_path / file), "--weights": "absent.pth"}, *more) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("file", "more"), [("t.txt", []), ("t.txt", ["--format", "mots"]), ("t.csv", [])])
def test_tracks_in_another_format(arguments, tmp_path, file, more):
    path = tmp_path / file
    assert run({**arguments, "--save-tracks": str(path)}, *more) == 0
    (video,) = format_of(path, *more[1:]).read(path)
    assert len({track_id for frame in video.frames for track_id in frame.ids.tolist()}) == 3


def test_help_lists_the_formats(capsys):
    with pytest.raises(SystemExit):
        main(["track", "--help"])
    assert "  mots-png     MOTS pictures: a folder of PNG\n" in capsys.readouterr().out


def test_unknown_key_is_named(arguments, capsys):
    assert run(arguments, "TRACKER_HEADS.MIN_SCOER", "0.2") == 1
    assert "MIN_SCOER" in capsys.readouterr().err


@pytest.mark.parametrize(
    "more", [["--tracker", "NoTracker"], ["--max-frames", "0"], *(["--fps", fps] for fps in ("nan", "inf", "0", "ten"))]
)
def test_bad_arguments_are_refused(arguments, more):
    with pytest.raises(SystemExit) as error:
        run(arguments, *more)
    assert error.value.code == 2


def test_nothing_to_do_is_refused(arguments, capsys):
    del arguments["--output"], arguments["--save-tracks"]
    with pytest.raises(SystemExit):
        run(arguments)
    assert "--output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--output", "."),
        ("--save-tracks", "clip.mp4"),
        ("--save-tracks", "tracked.mp4"),
        ("--output", "clip.mp4/x.mp4"),
    ],
)
def test_outputs_are_checked_before_the_first_frame(arguments, tmp_path, capsys, flag, value):
    before = (tmp_path / "clip.mp4").read_bytes()
    assert run({**arguments, flag: str(tmp_path / value)}) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "clip.mp4").read_bytes() == before and not (tmp_path / "tracked.mp4").exists()
