"""``ictrack identify``: objects that are alike but for their markings, and some that are not even that."""

import csv
import json

import cv2
import numpy as np
import pytest

from ictrack.command.main import main
from ictrack.structures.track_formats import format_of

NUM_FRAMES = 160


@pytest.fixture(scope="module", autouse=True)
def _no_log():
    """It would keep a test's captured stdout for the tests after it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)
        yield


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


def identify(video, folder, *more):
    arguments = ["--input", str(video), "--output", str(folder), "--device", "cpu", "--iterations", "40"]
    detector = [] if "--detections" in more else ["--threshold", "150"]
    return main(["identify", *arguments, *detector, *more])


def sides(path):
    """Identity of the left and of the right object in the first and in the last frame with both."""
    (video,) = format_of(path, has_masks=True).read(path)
    frames = [frame for frame in video.frames if len(frame) == 2]
    return [frame.ids[np.argsort(frame.boxes[:, 0])].tolist() for frame in (frames[0], frames[-1])]


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """Video, and the folder of its result."""
    folder = tmp_path_factory.mktemp("identify")
    video = write_frames(folder / "marked", [-7, 7])
    assert identify(video, folder / "result", "--num-instances", "2") == 0
    return video, folder / "result"


def test_markings_tell_who_is_who_after_a_crossing(marked):
    _, result = marked
    first, last = sides(result / "tracks.json")
    assert sorted(first) == [0, 1] and last == first  # four crossings are an even number
    summary = json.loads((result / "summary.json").read_text())
    assert summary["told_apart"] and summary["identities"] == [0, 1]
    assert summary["interval"][0] <= summary["accuracy"] <= summary["interval"][1]


def test_places_by_frame_and_identity(marked):
    _, result = marked
    places = np.load(result / "trajectories.npy", allow_pickle=False)
    assert places.shape == (NUM_FRAMES, 2, 2)
    left = places[0, :, 0].argmin()
    assert places[0, left] == pytest.approx([25, 48], abs=10)
    with open(result / "centroids.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == np.isfinite(places[..., 0]).sum()
    row = rows[0]
    assert [float(row["x"]), float(row["y"])] == pytest.approx(
        places[int(row["frame"]), int(row["identity"])], abs=0.01
    )
    assert 0.5 <= float(row["probability"]) <= 1


def test_the_report_needs_no_other_file(marked):
    _, result = marked
    page = (result / "report.html").read_text()
    assert "Identities in marked" in page and "<svg" in page and "{{" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_online_tracker_recognizes_them(marked, tmp_path):
    video, result = marked
    tracks = tmp_path / "online.csv"
    assert main(["track", "--config-file", str(result / "config.yaml"), "--input", str(video), "--save-tracks",
                 str(tracks), "--device", "cpu"]) == 0  # fmt: skip
    first, last = sides(tracks)
    assert last == first


def test_the_same_objects_keep_their_numbers_in_the_next_video(marked, tmp_path):
    _, result = marked
    first, _ = sides(result / "tracks.json")
    video = write_frames(tmp_path / "next_day", [7, -7])  # the other way round
    assert identify(video, tmp_path / "result", "--num-instances", "2", "--identities", str(result)) == 0
    again, _ = sides(tmp_path / "result" / "tracks.json")
    assert again == first[::-1]


def test_corrections_are_certain_knowledge(marked, tmp_path, capsys):
    """A correction that is wrong is believed: the numbers are exchanged from there on."""
    video, result = marked
    tracks = tmp_path / "tracks.json"
    tracks.write_bytes((result / "tracks.json").read_bytes())
    assert main(["relabel", str(tracks), "--swap", "0", "1", "--from", "100"]) == 0
    log = f"{tracks}.edits.jsonl"
    assert identify(video, tmp_path / "again", "--num-instances", "2", "--corrections", log) == 0
    (before,), (after,) = (
        format_of(x, has_masks=True).read(x) for x in (result / "tracks.json", tmp_path / "again" / "tracks.json")
    )

    def left(video, wanted):
        frame = next(frame for frame in video.frames if frame.index >= wanted and len(frame) == 2)
        return frame.ids[np.argsort(frame.boxes[:, 0])].tolist()

    same_before = left(before, 90) == left(after, 90)
    same_after = left(before, 100) == left(after, 100)
    assert same_before != same_after


def test_the_number_of_objects_is_found(marked, tmp_path, capsys):
    video, _ = marked
    assert identify(video, tmp_path / "open") == 0
    assert "2 identities" in capsys.readouterr().out


def test_boxes_of_a_file_and_another_format(marked, tmp_path):
    video, result = marked
    (tracks,) = format_of("x.json", has_masks=True).read(result / "tracks.json")
    boxes = tmp_path / "boxes.csv"
    with open(boxes, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", "x0", "y0", "x1", "y1", "score"])
        for frame in tracks.frames:
            writer.writerows([[frame.index, *map(float, box), 1.0] for box in frame.boxes])
    more = ["--detections", str(boxes), "--format", "csv"]
    assert identify(video, tmp_path / "boxes", "--num-instances", "2", *more) == 0
    first, last = sides(tmp_path / "boxes" / "tracks.csv")
    assert sorted(first) == [0, 1] and last == first


def test_what_cannot_be_told_apart_gets_no_identity(tmp_path, capsys):
    video = write_frames(tmp_path / "equal", [None, None])
    assert identify(video, tmp_path / "out", "--num-instances", "2") == 0
    assert "cannot be told apart" in capsys.readouterr().out
    first, last = sides(tmp_path / "out" / "tracks.json")
    assert not set(first) & set(last)  # numbers of tracklets, not of objects
    assert not (tmp_path / "out" / "identities.npz").exists()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["identities"] == []
    assert "cannot be told apart" in (tmp_path / "out" / "report.html").read_text()


def test_a_preview_shows_what_a_threshold_finds(marked, tmp_path, capsys):
    video, _ = marked
    picture = tmp_path / "preview.png"
    assert main(["identify", "--input", str(video), "--threshold", "150", "--preview", str(picture)]) == 0
    assert "usually 2" in capsys.readouterr().out
    drawn = cv2.imread(str(picture))
    assert drawn.shape == (4 * (24 + 96), 160, 3)  # each frame has a line above it
    assert drawn[0].min() == 255 and drawn[:24].min() < 100


def test_a_wrong_number_is_one_line(marked, tmp_path, capsys):
    video, _ = marked
    assert identify(video, tmp_path / "out", "--num-instances", "5") == 1
    assert "no frame shows that many" in capsys.readouterr().err.splitlines()[-1]


def test_nothing_to_tell_apart_is_one_line(tmp_path, capsys):
    video = write_frames(tmp_path / "one", [3])
    assert identify(video, tmp_path / "out") == 1
    assert "no two tracklets are in one frame" in capsys.readouterr().err.splitlines()[-1]


def test_no_object_is_one_line(tmp_path, capsys):
    video = write_frames(tmp_path / "one", [3])
    assert identify(video, tmp_path / "out", "--threshold", "1") == 1
    assert "no object was found" in capsys.readouterr().err.splitlines()[-1]
    for gray in ("0", "300", "dark"):
        with pytest.raises(SystemExit):
            identify(video, tmp_path / "out", "--threshold", gray)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--corrections", "missing.jsonl", "missing.jsonl: does not exist"),
        ("--identities", "nowhere", "identities.npz"),
        ("--output", "file.txt", "file.txt: is a file, and must be a folder"),
    ],
)
def test_files_that_are_missing_or_in_the_way_are_named(marked, tmp_path, monkeypatch, capsys, option, value, message):
    video, _ = marked
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text("")
    assert identify(video, tmp_path / "out", option, value) == 1
    assert message in capsys.readouterr().err
