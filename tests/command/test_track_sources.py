"""``ictrack track`` on lists, parts and pipes, and runs that go on."""

import io
import json
from functools import partial
from pathlib import Path

import pytest
import torch
from color_detector import ColorDetector, scene
from detectron2.modeling import META_ARCH_REGISTRY

from ictrack.command.main import main
from ictrack.command.track_source import PIXEL_FORMATS
from ictrack.data import raw_frames
from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter
from ictrack.engine import video_run

NUM_FRAMES = 12


@META_ARCH_REGISTRY.register()
class ColorDetectorOfSources(ColorDetector):
    fail_at = None

    def __init__(self, cfg):
        super().__init__(cfg.INPUT.FORMAT)

    def forward(self, batched_inputs):
        if len(self.seen) == self.fail_at:
            raise KeyboardInterrupt
        return super().forward(batched_inputs)


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


@pytest.fixture
def track(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "MODEL: {META_ARCHITECTURE: ColorDetectorOfSources, DEVICE: cpu}\n"
        "INPUT: {MIN_SIZE_TEST: 64, FORMAT: BGR}\nDATASETS: {TRAIN: [], TEST: []}\n"
    )
    torch.save({"model": {"anchor": torch.zeros(1)}}, tmp_path / "weights.pth")
    (tmp_path / "videos").mkdir()
    for name in ("one", "two"):
        with VideoWriter(tmp_path / "videos" / f"{name}.mp4", 12) as writer:
            for index in range(NUM_FRAMES):
                writer.write(scene(index))

    def run(*arguments):
        common = ["--config-file", tmp_path / "config.yaml", "--weights", tmp_path / "weights.pth"]
        return main(["track", *map(str, [*common, *arguments])])

    return run


def length_of(path):
    return json.loads(Path(path).read_text())["videos"][0]["length"]


def test_a_list_of_videos(track, tmp_path, capsys):
    out = tmp_path / "out"
    outputs = ["--output", f"{out}/{{name}}.mp4", "--save-tracks", f"{out}/{{name}}.json"]
    assert track("--input", tmp_path / "videos", *outputs) == 0
    assert sorted(path.name for path in out.iterdir()) == ["one.json", "one.mp4", "two.json", "two.mp4"]
    assert (out / "one.json").read_bytes().replace(b'"one/', b'"two/') == (out / "two.json").read_bytes()
    # One is damaged, and one is done already.
    (tmp_path / "videos" / "none.mp4").write_text("no video")
    (out / "two.json").unlink()
    capsys.readouterr()
    assert track("--input", f"{tmp_path}/videos/*.mp4", *outputs, "--resume") == 1
    out_text, err = capsys.readouterr()
    assert "one.mp4: is done" in out_text and (out / "two.json").is_file()
    assert "none.mp4: cannot be opened as a video" in err and "1 of 3 videos could not be tracked" in err


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["--output", "all.mp4"], "2 videos need {name} in all.mp4"),
        (["--save-tracks", "{name}.json", "--output", "x.mp4"], "2 videos need {name} in x.mp4"),
    ],
)
def test_a_list_needs_an_output_for_each(track, tmp_path, capsys, outputs, message):
    with pytest.raises(SystemExit):
        track("--input", tmp_path / "videos", *outputs)
    assert message in capsys.readouterr().err


def test_two_videos_of_one_name(track, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    (tmp_path / "list.txt").write_text("videos/one.mp4\nmore/one.mp4\n")
    with pytest.raises(SystemExit):
        track("--input", tmp_path / "list.txt", "--save-tracks", f"{tmp_path}/{{name}}.json")
    assert "would both be written to" in capsys.readouterr().err


def test_a_part_of_a_video(track, tmp_path):
    tracks, drawn = tmp_path / "t.json", tmp_path / "d.mp4"
    clip = tmp_path / "videos" / "one.mp4"
    parts = ["--start", "2", "--end", "0:00.8", "--stride", "3"]  # frames 2, 5 and 8 of 12 a second
    assert track("--input", clip, "--save-tracks", tracks, "--output", drawn, *parts) == 0
    video = json.loads(tracks.read_text())["videos"][0]
    assert video["file_names"] == ["one/00002.jpg", "one/00005.jpg", "one/00008.jpg"]
    assert video["frame_indices"] == [2, 5, 8] and video["fps"] == 12
    assert video["times"] == pytest.approx([2 / 12, 5 / 12, 8 / 12], abs=1e-3)
    assert open_frames(drawn).length == 3


def test_raw_frames(track, tmp_path, monkeypatch):
    class Input:
        buffer = io.BytesIO(b"".join(scene(index)[..., ::-1].tobytes() for index in range(5)))

        def isatty(self):
            return False

    monkeypatch.setattr("sys.stdin", Input())
    raw = ["--input", "-", "--size", "96x64", "--pixel-format", "rgb24", "--fps", "20"]
    assert track(*raw, "--save-tracks", tmp_path / "t.json") == 0
    tracks = json.loads((tmp_path / "t.json").read_text())
    assert (tracks["videos"][0]["length"], tracks["videos"][0]["fps"], len(tracks["annotations"])) == (5, 20, 3)


@pytest.mark.parametrize("part", [[], ["--start", "1", "--end", "11"]])
def test_a_run_that_was_stopped_goes_on(track, tmp_path, monkeypatch, capsys, part):
    monkeypatch.setattr(video_run, "STATE_SECONDS", 0.0)
    clip, tracks = tmp_path / "videos" / "one.mp4", tmp_path / "t.json"
    track = partial(track, *part)
    assert track("--input", clip, "--save-tracks", tracks) == 0
    expected = tracks.read_bytes()
    monkeypatch.setattr(ColorDetectorOfSources, "fail_at", 7)
    assert track("--input", clip, "--save-tracks", tracks) == 0
    assert length_of(tracks) == 7 and Path(f"{tracks}.partial.jsonl").is_file()
    monkeypatch.setattr(ColorDetectorOfSources, "fail_at", None)
    capsys.readouterr()
    # Another threshold would give other tracks.
    assert track("--input", clip, "--save-tracks", tracks, "--resume", "TRACKER_HEADS.MIN_SCORE", "0.95") == 1
    assert "is of a run with another input, configuration or checkpoint" in capsys.readouterr().err
    assert track("--input", clip, "--save-tracks", tracks, "--resume") == 0
    assert tracks.read_bytes() == expected and not list(tmp_path.glob("*partial*"))
    assert "stages, which overlap: decode" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [["--size", "96"], ["--size", "0x64"], ["--start", "-1"], ["--end", "soon"], ["--stride", "0"],
     ["--pixel-format", "cmyk"], ["--reconnect", "-3"]],
)  # fmt: skip
def test_bad_arguments_are_refused(track, tmp_path, arguments):
    with pytest.raises(SystemExit) as error:
        track("--input", "-", "--save-tracks", tmp_path / "t.json", *arguments)
    assert error.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "96x64"], "--size and --pixel-format are those of raw frames on standard input"),
        (["--pixel-format", "gray"], "--size and --pixel-format are those of raw frames on standard input"),
        (["--reconnect", "5"], "--reconnect is for streams"),
    ],
)
def test_options_of_other_sources_are_refused(track, tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit):
        track("--input", tmp_path / "videos" / "one.mp4", "--save-tracks", tmp_path / "t.json", *arguments)
    assert message in capsys.readouterr().err


def test_the_command_offers_all_pixel_formats():
    assert list(raw_frames.PIXEL_FORMATS) == list(PIXEL_FORMATS)


@pytest.mark.parametrize("command", [["track", "--save-tracks", "a.json"], ["identify", "--output", "out"]])
def test_a_missing_video_is_told_before_a_model_is_loaded(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("ictrack.command.track_model.choose_model", "ictrack.command.track.choose_model"):
        monkeypatch.setattr(name, None)
    monkeypatch.setattr("ictrack.command.identify._config", None)
    assert main([*command, "--input", "absent.mp4"]) == 1
    assert capsys.readouterr().err.startswith("error: absent.mp4: no such file or folder")
