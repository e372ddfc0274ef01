"""``ictrack track`` without a configuration, on real footage by published models."""

import json
from pathlib import Path

import pytest

from ictrack.command.main import main
from ictrack.data.video_io import open_frames

CLIPS = Path(__file__).resolve().parents[2] / "projects" / "ICTrack" / "synthetic" / "assets" / "clips"


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


def track(clip, folder, *more):
    arguments = ["--input", str(CLIPS / clip), "--device", "cpu", "--max-frames", "8", *more]
    return main(["track", "--output", str(folder / "out.mp4"), "--save-tracks", str(folder / "out.json"), *arguments])


def lengths(tracks, name):
    """Number of frames of each track whose category has the name, longest first."""
    (category,) = (x["id"] for x in tracks["categories"] if x["name"] == name)
    found = [x["track_id"] for x in tracks["annotations"] if x["category_id"] == category]
    return sorted((found.count(track_id) for track_id in set(found)), reverse=True)


def test_boxes(tmp_path):
    assert track("dog_and_woman.mp4", tmp_path) == 0
    tracks = json.loads((tmp_path / "out.json").read_text())
    assert lengths(tracks, "person")[0] == 8 and lengths(tracks, "dog")[0] >= 6
    assert open_frames(tmp_path / "out.mp4").length == 8


def test_a_whole_clip_has_one_identity_for_each_who_is_in_it(tmp_path):
    # The dog leaves and returns, and the detector finds half of it beside the whole.
    arguments = ["--stride", "8", "--device", "cpu", "--save-tracks", str(tmp_path / "out.json")]
    assert main(["track", "--input", str(CLIPS / "dog_and_woman.mp4"), *arguments]) == 0
    tracks = json.loads((tmp_path / "out.json").read_text())
    (person,), (dog,) = lengths(tracks, "person"), lengths(tracks, "dog")
    assert person >= 30 and dog >= 25
    assert len(tracks["annotations"]) == person + dog


def test_only_some_classes(tmp_path):
    assert track("dog_and_woman.mp4", tmp_path, "--classes", "dog", "cat") == 0
    tracks = json.loads((tmp_path / "out.json").read_text())
    assert lengths(tracks, "dog")[0] >= 6 and not lengths(tracks, "person")


def test_poses(tmp_path):
    assert track("dog_and_woman.mp4", tmp_path, "--task", "pose") == 0
    tracks = json.loads((tmp_path / "out.json").read_text())
    assert lengths(tracks, "person") == [8]
    assert all(len(x["keypoints"]) == 3 * 17 for x in tracks["annotations"])


def test_an_unknown_class_is_one_line(tmp_path, capsys):
    assert track("dog_and_woman.mp4", tmp_path, "--classes", "persn") == 1
    assert "did you mean 'person'?" in capsys.readouterr().err.splitlines()[-1]


def test_a_task_beside_a_configuration_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        track("dog_and_woman.mp4", tmp_path, "--task", "pose", "--config-file", "x.yaml")
    assert "--config-file" in capsys.readouterr().err
