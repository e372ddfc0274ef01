"""YouTube-VIS files of tracks: what they hold comes back; what they cannot hold is refused."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from track_cases import assert_same_video, video_info, videos

from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask
from ictrack.structures.track_formats import TrackFormatError
from ictrack.structures.track_formats.masks import tight_boxes
from ictrack.structures.track_formats.youtube_vis import read, write
from ictrack.structures.youtube_vis_json import check_ground_truth


@given(videos(masks=True))
def test_round_trip(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.json"
    write(path, info, iter(frames))
    check_ground_truth(json.loads(path.read_text()))
    (found,) = read(path)
    assert (found.info.name, found.info.height, found.info.fps) == (info.name, info.height, info.fps)
    assert found.info.class_names == info.class_names and found.info.category_ids == info.category_ids
    by_id = lambda frame: np.argsort(frame.ids)  # noqa: E731
    assert [sorted(frame.ids.tolist() if len(frame) else []) for frame in found.frames] == [
        sorted(frame.ids.tolist()) for frame in frames
    ]
    for ours, theirs in zip(found.frames, frames):
        assert (ours.file_name, ours.time) == (theirs.file_name, theirs.time)
        if len(theirs):
            rles = [theirs.rles[i] for i in by_id(theirs)]
            assert [ours.rles[i] for i in by_id(ours)] == rles
            np.testing.assert_array_equal(ours.boxes[by_id(ours)], tight_boxes(rles))


def frame(index, ids, scores=None, classes=None):
    mask = np.zeros((12, 17), bool)
    mask[2:4, 5:9] = True
    num = len(ids)
    return FrameTracks(
        index,
        np.array(scores or [0.5] * num, float),
        np.array(classes or [0] * num),
        np.zeros((num, 4)),
        np.array(ids),
        [encode_mask(mask)] * num,
    )


def test_a_track_has_the_mean_score_and_the_elected_class(tmp_path):
    write(tmp_path / "t.json", video_info(), [frame(0, [4], [0.5], [1]), frame(3, [4], [0.25], [0])])
    content = json.loads((tmp_path / "t.json").read_text())
    (track,) = content["annotations"]
    assert (track["score"], track["category_id"], track["id"], track["track_id"]) == (0.375, 18, 5, 4)
    assert len(track["segmentations"]) == 2 and None not in track["segmentations"]


def test_frames_of_a_part_of_a_video_keep_their_numbers(tmp_path):
    write(tmp_path / "t.json", video_info(), [frame(10, []), frame(13, [4]), frame(16, [4])])
    (entry,) = json.loads((tmp_path / "t.json").read_text())["videos"]
    assert entry["file_names"] == ["walk/00010.jpg", "walk/00013.jpg", "walk/00016.jpg"] and entry["length"] == 3
    assert entry["frame_indices"] == [10, 13, 16] and entry["times"] == [0.8, 1.04, 1.28]
    (video,) = read(tmp_path / "t.json")
    assert [(one.index, one.file_name, len(one)) for one in video.frames] == [
        (10, "00010.jpg", 0), (13, "00013.jpg", 1), (16, "00016.jpg", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("indices", [[10, 13], [10, 10, 13], [13, 10, 16], [-1, 0, 1], "10", [0.5, 1, 2]])
def test_wrong_numbers_of_frames_are_refused(tmp_path, indices):
    write(tmp_path / "t.json", video_info(), [frame(10, []), frame(13, [4]), frame(16, [4])])
    content = json.loads((tmp_path / "t.json").read_text())
    content["videos"][0]["frame_indices"] = indices
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=r"t\.json: video 1: frame_indices: must"):
        read(tmp_path / "t.json")


def test_classes_beyond_the_names_are_numbered(tmp_path):
    write(tmp_path / "t.json", video_info(), [frame(0, [4], classes=[3])])
    categories = json.loads((tmp_path / "t.json").read_text())["categories"]
    assert categories[2:] == [{"id": 19, "name": "class 2"}, {"id": 20, "name": "class 3"}]


@given(videos(masks=False))
def test_detections_without_masks_are_refused(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.json"
    if any(map(len, frames)):
        with pytest.raises(TrackFormatError, match="this format holds masks, but the"):
            write(path, info, frames)
        assert not path.exists()


@given(videos(masks=True))
def test_results_files_are_read(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.json"
    write(path, info, frames)
    annotations = json.loads(path.read_text())["annotations"]
    keys = ("video_id", "category_id", "score", "segmentations")
    path.write_text(json.dumps([{key: track[key] for key in keys} for track in annotations]))
    videos = read(path)
    assert Counter(len(frame) for one in videos for frame in one.frames if len(frame)) == Counter(
        len(frame) for frame in frames if len(frame)
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{}]", r"\[0\].video_id: must be an integer, not None"),
        ('[{"video_id": 1, "category_id": 1, "segmentations": 3}]', r"\[0\].segmentations: must be a list"),
        ('[{"video_id": 1, "category_id": 1, "segmentations": [[[1, 2]]]}]', r"\[0\].segmentations: must be RLEs"),
        ('{"videos": 3}', "videos: must be a list"),
        (
            '{"videos": [{"id": 1, "height": 4, "width": 4, "file_names": ["a/0.jpg"]}], "categories": [{"id": 1, '
            '"name": "cat"}], "annotations": [{"id": 1, "video_id": 1, "category_id": 1, "segmentations": [[]]}]}',
            r"annotations\[0\].segmentations\[0\]: is an empty list",
        ),
    ],
)
def test_a_wrong_file_is_named(tmp_path, content, message):
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(AnnotationError, match=f"t.json: {message}"):
        read(tmp_path / "t.json")


def test_same_video_helper_notices():
    with pytest.raises(AssertionError):
        assert_same_video([frame(0, [4])], [frame(0, [5])], "ids")
