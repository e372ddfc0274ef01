"""``ictrack identify``: objects that are alike but for their markings, and some that are not even that."""

import cv2
import numpy as np
import pytest

from ictrack.command.main import main
from ictrack.structures.track_formats import format_of

NUM_FRAMES = 240


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


def write_frames(folder, markings):
    """Pictures without loss (the blocks of a compressed video tell where in the frame an object is), of two dark
    ellipses that cross every 40 frames, each with a bright mark at its place along the body."""
    folder.mkdir()
    for index in range(NUM_FRAMES):
        image = np.full((96, 160, 3), 220, np.uint8)
        for number, mark in enumerate(markings):
            x = 80 + (55 if number == 0 else -55) * np.cos(np.pi * index / 40)
            y = 44 + 8 * number + 3 * np.sin(index / 4 + number)
            center = (int(x), int(y))
            cv2.ellipse(image, center, (16, 6), 0, 0, 360, (50, 50, 50), -1)
            if mark is not None:
                cv2.circle(image, (center[0] + mark, center[1]), 3, (105, 105, 105), -1)
        cv2.imwrite(str(folder / f"{index:03d}.png"), image)
    return folder


def identify(video, out, *more):
    arguments = ["--input", str(video), "--save-tracks", str(out), "--device", "cpu", "--iterations", "60"]
    return main(["identify", *arguments, *more, "MODEL.FOREGROUND.THRESHOLD", "150"])


def sides(path):
    """Identity of the left and of the right object in the first and in the last frame with both."""
    (video,) = format_of(path).read(path)
    frames = [frame for frame in video.frames if len(frame) == 2]
    return [frame.ids[np.argsort(frame.boxes[:, 0])].tolist() for frame in (frames[0], frames[-1])]


def test_markings_tell_who_is_who_after_a_crossing(tmp_path, capsys):
    video = write_frames(tmp_path / "marked", [-7, 7])
    assert identify(video, tmp_path / "tracks.csv", "--num-instances", "2") == 0
    first, last = sides(tmp_path / "tracks.csv")
    assert sorted(first) == [0, 1] and last == first  # six crossings are an even number
    assert "2 identities" in capsys.readouterr().out


def test_the_number_of_objects_is_found(tmp_path, capsys):
    video = write_frames(tmp_path / "marked", [-7, 7])
    assert identify(video, tmp_path / "tracks.json") == 0
    assert "2 identities" in capsys.readouterr().out


def test_what_cannot_be_told_apart_gets_no_identity(tmp_path, capsys):
    video = write_frames(tmp_path / "equal", [None, None])
    assert identify(video, tmp_path / "tracks.csv", "--num-instances", "2") == 0
    assert "cannot be told apart" in capsys.readouterr().out
    first, last = sides(tmp_path / "tracks.csv")
    assert not set(first) & set(last)  # numbers of tracklets, not of objects


def test_a_wrong_number_is_one_line(tmp_path, capsys):
    video = write_frames(tmp_path / "marked", [-7, 7])
    assert identify(video, tmp_path / "tracks.csv", "--num-instances", "5") == 1
    assert "no frame shows that many" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_to_tell_apart_is_one_line(tmp_path, capsys):
    video = write_frames(tmp_path / "one", [3])
    assert identify(video, tmp_path / "tracks.csv") == 1
    assert "no two tracklets are in one frame" in capsys.readouterr().err.splitlines()[-1]
