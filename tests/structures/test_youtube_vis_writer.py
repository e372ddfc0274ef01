"""The one writer of files in YouTube-VIS format."""

import json

import pytest

from ictrack.structures.youtube_vis_json import read_ground_truth
from ictrack.structures.youtube_vis_writer import write_youtube_vis

HEAD = {
    "info": {"a": "ä"},
    "videos": [{"id": 1, "height": 2, "width": 3, "length": 1, "file_names": ["v/0.jpg"]}],
    "categories": [{"id": 1, "name": "cat"}],
}


def tracks(count):
    for number in range(1, count + 1):
        rle = {"size": [2, 3], "counts": [1, 2, 3]}
        yield {"id": number, "video_id": 1, "category_id": 1, "iscrowd": 0, "segmentations": [rle]}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_written_is_read(count, tmp_path):
    path = tmp_path / "new" / "tracks.json"
    write_youtube_vis(path, {"annotations": tracks(count), **HEAD})  # wherever the key stands
    assert read_ground_truth(path) == {**HEAD, "annotations": list(tracks(count))}


def test_a_track_that_fails_leaves_the_file_before(tmp_path):
    path = tmp_path / "tracks.json"
    write_youtube_vis(path, {**HEAD, "annotations": []})

    def failing():
        yield from tracks(1)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_youtube_vis(path, {**HEAD, "annotations": failing()})
    assert json.loads(path.read_text())["annotations"] == [] and len(list(tmp_path.iterdir())) == 1
