"""``ictrack relabel``: edits of files of several formats, in place or to another file, and their log."""

import json
import shutil

import numpy as np
import pytest
from track_cases import random_frame, video_info

from ictrack.command.main import main
from ictrack.structures.edit_log import log_of, read_edits
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_formats import FORMATS

FILES = {
    "coco": "tracks.json",
    "youtube-vis": "tracks.json",
    "mot": "tracks.txt",
    "mots": "tracks.txt",
    "cvat": "tracks.xml",
    "csv": "tracks.csv",
    "json-lines": "tracks.jsonl",
    "mots-png": "tracks",
}
IN_PLACE = sorted(FILES.keys() - {"mots-png"})


def frames_of(*ids_by_frame, masks=False):
    rng = np.random.default_rng(0)
    frames = []
    for index, ids in enumerate(ids_by_frame):
        frame = random_frame(rng, index, len(ids), masks, 0, separate=True)
        frames.append(FrameTracks(index, frame.scores, frame.classes * 0, frame.boxes, np.array(ids), frame.rles))
    return frames


def written(folder, name, frames):
    path = folder / FILES[name]
    FORMATS[name].write(path, video_info(), iter(frames))
    return path


def ids_of(path, name):
    """Identities of each frame with detections."""
    (video,) = FORMATS[name].read(path)
    return [sorted(frame.ids.tolist()) for frame in video.frames if len(frame)]


@pytest.mark.parametrize("name", IN_PLACE)
def test_a_swap_in_place(tmp_path, name, capsys):
    path = written(tmp_path, name, frames_of([3, 5], [3], [3, 9], masks=True))
    assert main(["relabel", str(path), "--swap", "3", "5", "--from", "1"]) == 0
    assert ids_of(path, name) == [[3, 5], [5], [5, 9]]
    (edit,) = read_edits(log_of(path))
    assert (edit.name, edit.ids, edit.start) == ("swap", (3, 5), 1)
    assert capsys.readouterr().out == f"{path}: 3 and 5 exchanged from frame 1 on -> {path.name}.edits.jsonl\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, f"{path.name}.edits.jsonl"]


def test_a_folder_of_pictures_is_written_to_another(tmp_path, capsys):
    path = written(tmp_path, "mots-png", frames_of([3, 5], [3], masks=True))
    assert main(["relabel", str(path), "--split", "3", "--from", "1"]) == 1
    assert "name a new or empty folder" in capsys.readouterr().err
    assert main(["relabel", str(path), "--split", "3", "--from", "1", "--output", str(tmp_path / "new")]) == 0
    assert ids_of(tmp_path / "new", "mots-png") == [[3, 5], [6]]


def test_the_log_grows_and_goes_along_with_the_output(tmp_path):
    path = written(tmp_path, "csv", frames_of([3, 5], [3], [7]))
    before = path.read_bytes()
    out = tmp_path / "out.csv"
    assert main(["relabel", str(path), "--join", "3", "7", "--output", str(out)]) == 0
    assert path.read_bytes() == before and not log_of(path).exists()
    assert ids_of(out, "csv") == [[3, 5], [3], [3]]
    assert main(["relabel", str(out), "--split", "3", "--from", "2"]) == 0
    assert ids_of(out, "csv") == [[3, 5], [3], [6]]
    assert [edit.name for edit in read_edits(log_of(out))] == ["join", "split"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--join", "3", "5"], "identities 3 and 5 are both in frame 0: they are two objects"),
        (["--swap", "3", "4", "--from", "1"], "identity 4 is in no frame"),
        (["--join", "3", "7", "--output", "out.txt"], "out.txt: is written as csv, with .csv"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, "csv", frames_of([3, 5], [3], [7]))
    before = path.read_bytes()
    assert main(["relabel", path.name, *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_detections_without_identities_are_refused(tmp_path, capsys):
    path = tmp_path / "boxes.txt"
    path.write_text("1,-1,2,2,5,5,0.9,1,-1\n")
    assert main(["relabel", str(path), "--join", "3", "5"]) == 1
    assert capsys.readouterr().err == f"error: {path}: has no identities\n"


def test_packed_files_are_written_to_others(tmp_path, capsys):
    shutil.make_archive(str(tmp_path / "packed"), "zip", written(tmp_path, "coco", frames_of([3], [7])).parent)
    assert main(["relabel", str(tmp_path / "packed.zip"), "--join", "3", "7"]) == 1
    assert "name such a file by --output" in capsys.readouterr().err
    out = tmp_path / "out.json"
    assert main(["relabel", str(tmp_path / "packed.zip"), "--join", "3", "7", "--output", str(out)]) == 0
    assert ids_of(out, "coco") == [[3], [3]]


def test_one_of_several_videos(tmp_path, capsys):
    path = written(tmp_path, "coco", frames_of([3], [7]))
    content = json.loads(path.read_text())
    for image in content["images"]:
        image["file_name"] = f"walk/{image['file_name']}"
    content["images"].append({**content["images"][0], "id": 9, "file_name": "run/00000.jpg"})
    path.write_text(json.dumps(content))
    join = ["relabel", str(path), "--join", "3", "7"]
    out = tmp_path / "out.json"
    for arguments, message in [
        ([], "has the videos walk, run; name one by --video"),
        (["--video", "fly"], "has no video 'fly', but walk, run"),
        (["--video", "walk"], "name another file by --output"),
        (["--video", "run", "--output", str(out)], "has no identities"),
    ]:
        assert main([*join, *arguments]) == 1
        assert message in capsys.readouterr().err
    assert main([*join, "--video", "walk", "--output", str(out)]) == 0
    assert ids_of(out, "coco") == [[3], [3]]


@pytest.mark.parametrize("arguments", [["--swap", "3", "5"], ["--join", "3", "5", "--from", "2"], []])
def test_wrong_usage(tmp_path, arguments):
    with pytest.raises(SystemExit) as status:
        main(["relabel", "tracks.csv", *arguments])
    assert status.value.code == 2
