"""Whole runs: stages in threads, the journal, and runs that break off and go on."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from color_detector import ColorDetector, scene
from detectron2.config import get_cfg

from benchmarks.endless import arguments_of, exported_settings, run_killed, track_numbered
from benchmarks.numbered import NumberedStream
from ictrack.config import add_ictrack_config
from ictrack.data.frame_stream import FrameStream
from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter
from ictrack.engine import video_run
from ictrack.engine.frame_tracks import to_frame_tracks
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker
from ictrack.modeling.frame_instances import to_instances
from ictrack.structures.command_line import OutputError
from ictrack.structures.track_formats.json_lines import frame_line
from ictrack.tracking import build_tracker

NUM_FRAMES = 20


def make_tracker(model=None, name="EmbeddingTracker"):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.TRACKER_NAME = name
    return VideoTracker(model or ColorDetector(), lambda height, width: build_tracker(cfg, height, width))


@pytest.fixture
def clip(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 12) as writer:
        for index in range(NUM_FRAMES):
            writer.write(scene(index))
    return tmp_path / "clip.mp4"


class Failing(ColorDetector):
    """Detector that fails at a frame."""

    def __init__(self, at, error):
        super().__init__()
        self.at, self.error = at, error

    def forward(self, batched_inputs):
        if len(self.seen) == self.at:
            raise self.error
        return super().forward(batched_inputs)


def frames_of(path):
    return [frame for _, frame in open_frames(path)]


@pytest.mark.parametrize("name", ["EmbeddingTracker", "SpatialTracker"])
@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyboardInterrupt()])
def test_a_run_that_broke_off_goes_on(tmp_path, clip, monkeypatch, caplog, name, error):
    monkeypatch.setattr(video_run, "STATE_SECONDS", 0.0)
    tracks, drawn = tmp_path / "tracks.json", tmp_path / "drawn.mp4"
    track_video(make_tracker(name=name), clip, drawn, save_tracks=tracks)
    expected, expected_frames = tracks.read_bytes(), frames_of(drawn)
    tracks.unlink(), drawn.unlink()

    try:
        track_video(make_tracker(Failing(13, error), name), clip, drawn, save_tracks=tracks)
    except RuntimeError as raised:
        assert raised is error
    assert "--resume goes on" in caplog.text
    assert len(frames_of(drawn)) == 13, "the mp4 is whole"
    if isinstance(error, KeyboardInterrupt):
        assert json.loads(tracks.read_text())["videos"][0]["length"] == 13
    assert (tmp_path / "tracks.json.partial.jsonl").is_file()

    model = ColorDetector()
    summary = track_video(make_tracker(model, name), clip, drawn, save_tracks=tracks, resume=True)
    assert tracks.read_bytes() == expected
    assert len(model.seen) == NUM_FRAMES - summary.resumed and summary.resumed >= 12
    assert (summary.frames, summary.tracks, summary.detections) == (NUM_FRAMES, 3, 54)
    assert f"({summary.resumed} before)" in str(summary)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "drawn.mp4", "tracks.json"]
    again = frames_of(drawn)
    assert len(again) == NUM_FRAMES
    assert all(np.array_equal(one, other) for one, other in zip(again, expected_frames)), "drawn from the journal"


def test_killed_runs_give_the_same_file(tmp_path):
    """Without PyTorch, which takes longer to start than to track, and to the byte what a whole run with it gives."""
    expected, killed = tmp_path / "expected.json", tmp_path / "killed.json"
    track_numbered(200, str(expected), None, False, [], 5.0)
    assert run_killed(200, killed, kills=2, seconds=1.0, settings=exported_settings([]))[0] == 0
    assert killed.read_bytes() == expected.read_bytes()
    assert not list(tmp_path.glob("*partial*"))


def test_ctrl_c_of_a_process_keeps_its_files(tmp_path):
    """The signal itself, which may come in any thread's midst."""
    tracks, drawn = tmp_path / "tracks.json", tmp_path / "drawn.mp4"
    arguments = arguments_of(100000, tracks, output=drawn, resume=True, settings=exported_settings([]))
    command = [sys.executable, "-m", "benchmarks.endless", *arguments]
    # A shell starts its background jobs with this signal ignored, which the children would inherit.
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = tmp_path / "tracks.json.partial.jsonl"
    while not journal.is_file() or journal.stat().st_size < 20_000:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    length = json.loads(tracks.read_text())["videos"][0]["length"]
    assert open_frames(drawn).length == length > 5


def test_without_a_run_to_go_on_with_it_starts_anew(tmp_path, clip):
    summary = track_video(make_tracker(), clip, save_tracks=tmp_path / "tracks.json", resume=True)
    assert (summary.resumed, summary.frames) == (0, NUM_FRAMES)


def test_an_early_error_leaves_nothing(tmp_path, clip):
    with pytest.raises(RuntimeError, match="no memory"):
        track_video(make_tracker(Failing(2, RuntimeError("no memory"))), clip, save_tracks=tmp_path / "tracks.json")
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


class Live(NumberedStream):
    is_live = True


@pytest.mark.parametrize(
    ("source", "name", "save", "message"),
    [
        (Live(4), "EmbeddingTracker", True, "numbered: a live source cannot be read again"),
        (NumberedStream(4), "BBoxIOUTracker", True, "only an EmbeddingTracker and a SpatialTracker"),
        (NumberedStream(4), "EmbeddingTracker", False, "give --save-tracks"),
    ],
)
def test_what_cannot_go_on(tmp_path, source, name, save, message):
    tracks = tmp_path / "tracks.json" if save else None
    with pytest.raises(OutputError, match=message):
        track_video(make_tracker(name=name), source, tmp_path / "x.mp4", save_tracks=tracks, resume=True)
    assert list(tmp_path.iterdir()) == []


def test_of_a_live_source_nothing_is_left_after_ctrl_c(tmp_path, monkeypatch):
    monkeypatch.setattr(video_run, "STATE_SECONDS", 0.0)

    class Camera(FrameStream):
        name, height, width, fps, is_live = "camera0", 64, 96, 10.0, True

        def __iter__(self):
            return ((index, scene(index)) for index in range(10**9))

    tracker = make_tracker(Failing(6, KeyboardInterrupt()))
    assert track_video(tracker, Camera(), save_tracks=tmp_path / "tracks.json").frames == 6
    assert [path.name for path in tmp_path.iterdir()] == ["tracks.json"]


class Breaking(NumberedStream):
    """Stream that breaks off with an error of the source."""

    def __iter__(self):
        for index, frame in super().__iter__():
            if index == 3:
                raise ValueError("frame 3: no such file")
            yield index, frame


@pytest.mark.parametrize("stage", ["decode", "detect", "save", "draw", "encode"])
def test_an_error_of_any_stage_ends_all(tmp_path, monkeypatch, stage):
    source = Breaking(50) if stage == "decode" else NumberedStream(50)
    model = Failing(3, ValueError("frame 3: detector")) if stage == "detect" else ColorDetector()

    def fail(*arguments, **options):
        raise ValueError(f"frame 3: {stage}")

    if stage == "save":
        monkeypatch.setattr(video_run, "to_frame_tracks", fail)
    if stage == "draw":
        monkeypatch.setattr("ictrack.visualization.draw_tracks.TrackDrawer.draw", fail)
    if stage == "encode":
        monkeypatch.setattr("ictrack.data.video_writer.VideoWriter.write", fail)
    before = threading.active_count()
    with pytest.raises(ValueError, match="frame 3: "):
        track_video(make_tracker(model), source, tmp_path / "x.mp4", save_tracks=tmp_path / "tracks.json")
    assert threading.active_count() == before
    assert not list(tmp_path.glob("*partial*")) and not (tmp_path / "tracks.json").exists()


def test_seconds_by_stage(tmp_path, clip):
    summary = track_video(make_tracker(), clip, tmp_path / "x.mp4", save_tracks=tmp_path / "tracks.json")
    assert list(summary.stages.seconds) and set(summary.stages.seconds) == {
        "decode", "detect", "track", "save", "draw", "encode",
    }  # fmt: skip
    assert 0 < max(summary.stages.seconds.values()) <= summary.seconds
    assert "detect " in str(summary.stages)


def test_instances_of_recorded_tracks_are_the_same(clip):
    for _, instances in make_tracker().run(clip):
        frame = to_frame_tracks(instances, 0)
        again = to_instances(frame, instances.image_size)
        assert frame_line(to_frame_tracks(again, 0)) == frame_line(frame)
        assert again.pred_masks.equal(instances.pred_masks) and again.scores.equal(instances.scores)


def test_a_warning_of_what_is_left(tmp_path, clip, monkeypatch, caplog):
    monkeypatch.setattr(video_run, "STATE_SECONDS", 0.0)
    with caplog.at_level(logging.WARNING), pytest.raises(RuntimeError):
        track_video(make_tracker(Failing(9, RuntimeError("x"))), clip, save_tracks=tmp_path / "tracks.json")
    assert f"{tmp_path / 'tracks.json'}.partial.jsonl: the tracks so far; --resume goes on from there" in caplog.text
