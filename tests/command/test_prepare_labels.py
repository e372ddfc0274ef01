"""``ictrack prepare convert`` and its like, from the command line."""

import json

import numpy as np
import pytest
from PIL import Image

from ictrack.command.main import main
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
        "error: Annotations: davis cannot hold 8 objects of classes other than 'object' (train.json); --drop classes "
        "leaves them out\n"
    )
    assert not (videos / "Annotations").exists()
    assert main([*arguments, "--drop", "classes"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "train.json: 2 videos, 6 frames, 8 objects, 4 tracks",
        "left out: 8 objects of classes other than 'object'",
        "Annotations: 2 videos, 6 frames, 8 objects, 4 tracks",
    ]
    picture = np.array(Image.open(videos / "Annotations" / "run" / "00002.png"))
    assert np.unique(picture).tolist() == [0, 4, 5] and (picture > 0).sum() == 24


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
