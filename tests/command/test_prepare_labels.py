"""``ictrack prepare convert`` and its like, from the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ictrack.command.main import main
from ictrack.data.video_writer import VideoWriter
from ictrack.structures.rle import encode_mask


@pytest.fixture()
def videos(tmp_path, monkeypatch):
    """A YouTube-VIS file of two videos of three frames with two tracks each, in the current folder."""
    monkeypatch.chdir(tmp_path)
    entries, tracks = [], []
    for number, name in enumerate(("walk", "run"), 1):
        names = [f"{name}/{frame:05d}.jpg" for frame in range(3)]
        entries.append({"id": number, "height": 8, "width": 12, "length": 3, "file_names": names})
        for side in range(2):
            mask = np.zeros((8, 12), bool)
            mask[2:5, 6 * side : 6 * side + 4] = True
            track = {"id": len(tracks) + 1, "video_id": number, "category_id": 1 + side, "iscrowd": 0}
            tracks.append({**track, "segmentations": [encode_mask(mask), None, encode_mask(mask)]})
    categories = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    content = {"videos": entries, "categories": categories, "annotations": tracks}
    (tmp_path / "train.json").write_text(json.dumps(content))
    return tmp_path


def test_convert(videos, capsys):
    arguments = ["prepare", "convert", "--from", "youtube-vis", "--to", "davis", "train.json", "Annotations"]
    assert main(arguments) == 1
    assert capsys.readouterr().err == (
        "error: Annotations: davis cannot hold 8 objects' names of classes other than 'object' (train.json); --drop "
        "classes leaves them out\n"
    )
    assert not (videos / "Annotations").exists()
    assert main([*arguments, "--drop", "classes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train.json: 2 videos, 6 frames, 8 objects, 4 tracks",
        "left out: 8 objects' names of classes other than 'object'",
        "Annotations: 2 videos, 6 frames, 8 objects, 4 tracks",
    ]
    picture = np.array(Image.open(videos / "Annotations" / "run" / "00002.png"))
    assert np.unique(picture).tolist() == [0, 4, 5] and (picture > 0).sum() == 24


def test_sizes_that_labels_lack_are_those_of_the_video(videos, capsys):
    with VideoWriter(videos / "clip.mp4", 12) as writer:
        writer.write(np.zeros((24, 32, 3), np.uint8))
    (videos / "clip.csv").write_text("frame,track_id,category,score,x0,y0,x1,y1\n0,1,dog,1,2,3,9,8\n")
    command = ["prepare", "convert", "--from", "tracks", "--to", "cvat", "clip.csv", "clip.xml"]
    assert main(command) == 1
    assert "name the folder of the pictures, or the video, by --images" in capsys.readouterr().err
    assert main([*command, "--images", "clip.mp4"]) == 0
    assert "<width>32</width><height>24</height>" in "".join((videos / "clip.xml").read_text().split())
    capsys.readouterr()
    command = ["prepare", "convert", "--from", "mot", "--to", "youtube-vis", "two", "x.json", "--drop", "incomplete"]
    for name in ("a", "b"):
        (videos / "two" / name / "gt").mkdir(parents=True)
        (videos / "two" / name / "gt" / "gt.txt").write_text("1,1,2,3,7,5,1,1,1\n")
    assert main([*command, "--images", "clip.mp4"]) == 1
    assert capsys.readouterr().err == "error: clip.mp4: one video, but two has 2\n"


def test_labels_of_mice_are_tracks(videos, capsys):
    box = {"points": [[1, 1], [5, 4]], "shape_type": "rectangle"}
    for frame in range(2):
        shapes = [{**box, "label": f"mouse {number}"} for number in (1, 2)]
        content = {"imagePath": f"{frame}.jpg", "imageHeight": 8, "imageWidth": 12, "shapes": shapes}
        (videos / "mice").mkdir(exist_ok=True)
        (videos / "mice" / f"{frame}.json").write_text(json.dumps(content))
    arguments = ["prepare", "convert", "--from", "labelme", "--to", "mot", "mice", "out", "--label-is-track"]
    assert main(arguments) == 0
    lines = (videos / "out" / "mice" / "gt" / "gt.txt").read_text().splitlines()
    assert lines == [f"{frame},{number},1,1,4,3,1,1,-1" for frame in (1, 2) for number in (1, 2)]
    assert (videos / "out" / "mice" / "gt" / "labels.txt").read_text() == "mouse\n"


def test_subset(videos, capsys):
    command = ["prepare", "subset", "--from", "youtube-vis", "train.json", "some.json"]
    assert main([*command, "--videos", "run", "--frames", "1:", "--categories", "cat"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "some.json: 1 video, 2 frames, 1 object, 1 track"
    content = json.loads((videos / "some.json").read_text())
    assert content["videos"][0]["file_names"] == ["run/00001.jpg", "run/00002.jpg"]
    assert [category["name"] for category in content["categories"]] == ["cat"]
    (track,) = content["annotations"]
    assert track["track_id"] == 4 and track["segmentations"][0] is None and track["segmentations"][1] is not None
    assert main([*command, "--videos", "swim"]) == 1
    assert capsys.readouterr().err == "error: train.json: has no video 'swim'; there are walk, run\n"
    assert main([*command, "--frames", "7:9"]) == 1
    with pytest.raises(SystemExit):
        main([*command, "--frames", "9:7"])


def test_split_by_videos(videos, capsys):
    command = ["prepare", "split", "--from", "youtube-vis", "train.json", "a.json", "b.json"]
    assert main(command) == 0
    parts = [json.loads((videos / name).read_text()) for name in ("a.json", "b.json")]
    assert sorted(len(part["videos"]) for part in parts) == [1, 1]
    assert main([*command, "--group", r"^(.)\w+/", "--share", "1"]) == 0
    assert main([*command, "--group", "horse"]) == 1
    assert capsys.readouterr().err == "error: train.json: 'horse' finds nothing in walk/00000.jpg\n"


def test_split_of_stills_keeps_what_belongs_together(videos, capsys):
    images = [{"id": i, "file_name": f"farm{i // 3}_{i % 3}.jpg", "height": 8, "width": 12} for i in range(12)]
    boxes = [{"id": i + 1, "image_id": i, "category_id": 1, "bbox": [1, 1, 2, 2]} for i in range(12)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cow"}]}
    (videos / "stills.json").write_text(json.dumps(content))
    command = ["prepare", "split", "--from", "coco", "stills.json", "a.json", "b.json", "--share", "0.3"]
    assert main(command) == 1
    assert "stills.json: is of one source, stills; a regular expression" in capsys.readouterr().err
    assert main([*command, "--group", r"/(.*)_\d+"]) == 0
    parts = [json.loads((videos / name).read_text())["images"] for name in ("a.json", "b.json")]
    farms = [{image["file_name"].split("_")[0] for image in part} for part in parts]
    assert farms[0] and farms[1] and not farms[0] & farms[1] and len(parts[0]) + len(parts[1]) == 12
    for share, number in (("0.3", 4), ("0", 1), ("1", 11)):  # one at least on each side, else the nearest number
        assert main([*command, "--group", r"[^/]+$", "--share", share]) == 0
        assert len(json.loads((videos / "b.json").read_text())["images"]) == number
    assert main([*command, "--group", "("]) == 1 and main([*command, "--group", "horse"]) == 1


def test_frames_of_a_video_and_back(videos, capsys):
    source = Path(__file__).parents[1] / "data" / "odd_videos" / "vfr.mkv"
    assert main(["prepare", "frames", str(source), "all", "--png"]) == 0
    names = sorted(path.name for path in (videos / "all").iterdir())
    assert names[0] == "00000.png" and len(names) > 4
    assert main(["prepare", "frames", str(source), "some", "--start", "1", "--stride", "2"]) == 0
    assert sorted(path.name for path in (videos / "some").iterdir())[:2] == ["00001.jpg", "00003.jpg"]
    assert main(["prepare", "frames", "all", "again.mp4", "--fps", "25"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"again.mp4: {len(names)} frames"
    assert main(["prepare", "frames", "again.mp4", "back", "--png"]) == 0
    first, again = (np.array(Image.open(videos / folder / names[2])).astype(int) for folder in ("all", "back"))
    assert np.abs(first - again[: first.shape[0], : first.shape[1]]).mean() < 6
    assert main(["prepare", "frames", str(source), "all"]) == 1
    assert "all: is there already" in capsys.readouterr().err


def test_a_video_that_cannot_be_read_does_not_stop_the_others(videos, capsys):
    source = Path(__file__).parents[1] / "data" / "odd_videos" / "vfr.mkv"
    (videos / "clips").mkdir()
    (videos / "clips" / "a.mkv").write_text("no video")
    (videos / "clips" / "b.mkv").write_bytes(source.read_bytes())
    assert main(["prepare", "frames", "clips", "pictures"]) == 1
    assert [folder.name for folder in (videos / "pictures").iterdir()] == ["b"]
    error = capsys.readouterr().err
    assert "a.mkv: cannot be opened as a video" in error and "1 of 2 videos could not be read" in error
