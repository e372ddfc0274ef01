"""What a format holds comes back to the bit from each format's writer and reader."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from track_cases import assert_same_video, videos

from ictrack.structures.joints import COCO_17, POSETRACK_15
from ictrack.structures.track_formats import FORMATS, TrackFormatError, format_of, write_tracks

TABLES = ("csv", "parquet")


def round_trip(tmp_path_factory, name, info, frames):
    track_format = FORMATS[name]
    path = tmp_path_factory.mktemp("tracks") / f"tracks{track_format.suffixes[0]}"
    track_format.write(path, info, iter(frames))
    (video,) = track_format.read(path)
    return video


def in_reader_s_order(frames, key):
    """Rows of each frame in the order of a key, for formats that do not keep the order."""
    return [reordered(frame, np.argsort(key(frame), kind="stable")) for frame in frames]


def reordered(frame, order):
    pick = lambda values: None if values is None else values[order]  # noqa: E731
    return replace(
        frame,
        scores=frame.scores[order],
        classes=frame.classes[order],
        boxes=frame.boxes[order],
        ids=pick(frame.ids),
        rles=None if frame.rles is None else [frame.rles[i] for i in order],
        keypoints=pick(frame.keypoints),
    )


def by_id(frames):
    return in_reader_s_order(frames, lambda frame: np.zeros(len(frame)) if frame.ids is None else frame.ids)


def names_of_classes(video, frames):
    return [[video.category_name(index) for index in frame.classes.tolist()] for frame in frames if len(frame)]


@given(videos(joints=COCO_17))
def test_coco(tmp_path_factory, video):
    info, frames = video
    found = round_trip(tmp_path_factory, "coco", info, frames)
    fields = ("scores", "classes", "boxes", "ids", "rles", "keypoints", "file_name", "time")
    assert_same_video(found.frames, frames, *fields)
    assert len(found.frames) == len(frames)
    assert found.info.class_names == info.class_names and found.info.category_ids == info.category_ids
    assert found.info.joint_names in ((), COCO_17.names)


@pytest.mark.parametrize("name", TABLES)
@given(video=videos(joints=COCO_17))
@settings(max_examples=50)
def test_tables(tmp_path_factory, name, video):
    info, frames = video
    found = round_trip(tmp_path_factory, name, info, frames)
    assert_same_video(found.frames, frames, "scores", "boxes", "ids", "rles", "keypoints", "time")
    assert names_of_classes(found.info, found.frames) == names_of_classes(info, frames)


@given(videos(masks=False, poses=False))
def test_mot(tmp_path_factory, video):
    info, frames = video
    found = round_trip(tmp_path_factory, "mot", info, frames)
    assert_same_video(found.frames, frames, "scores", "boxes", "ids")


@given(videos(masks=True, separate=True))
def test_mots(tmp_path_factory, video):
    info, frames = video
    found = round_trip(tmp_path_factory, "mots", info, frames)
    assert_same_video(found.frames, frames, "ids", "rles")


@given(videos(masks=True, poses=False, separate=True))
@settings(max_examples=30)
def test_mots_png(tmp_path_factory, video):
    info, frames = video
    frames = [replace(frame, classes=np.zeros(len(frame), dtype=np.int64)) for frame in frames]
    found = round_trip(tmp_path_factory, "mots-png", info, frames)
    assert_same_video(found.frames, frames, "ids", "rles")
    assert len(found.frames) == len(frames)


@given(videos(poses=True, joints=POSETRACK_15))
def test_posetrack(tmp_path_factory, video):
    info, frames = video
    found = round_trip(tmp_path_factory, "posetrack", info, frames)
    assert_same_video(found.frames, frames, "ids", "keypoints", "file_name")


@given(videos(separate=True))
def test_cvat(tmp_path_factory, video):
    info, frames = video
    found = round_trip(tmp_path_factory, "cvat", info, frames)
    ours, theirs = by_id(found.frames), by_id(frames)
    if any(len(frame) and frame.rles is not None for frame in frames):
        assert_same_video(ours, theirs, "scores", "ids", "rles")
    elif any(len(frame) and frame.keypoints is not None for frame in frames):
        assert_same_video(ours, theirs, "scores", "ids", "keypoints")
    else:
        assert_same_video(ours, theirs, "scores", "ids", "boxes")


@pytest.mark.parametrize("name", FORMATS)
@given(video=videos(masks=True, poses=True, separate=True))
@settings(max_examples=5)
def test_frames_that_fail_leave_no_file(tmp_path_factory, name, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "new" / "tracks"

    def failing():
        yield from frames
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FORMATS[name].write(path, info, failing())
    assert not list(path.parent.glob("*"))


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].needs])
@given(video=videos(masks=False, poses=False))
@settings(max_examples=5)
def test_what_a_format_needs_is_asked_before_the_first_frame(tmp_path_factory, name, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks"
    untracked = [replace(frame, ids=None) for frame in frames]
    if any(map(len, frames)):
        with pytest.raises(TrackFormatError, match="tracks: this format holds"):
            FORMATS[name].write(path, info, untracked)
        assert not path.exists()


@pytest.mark.parametrize(
    ("path", "name", "has_masks", "expected"),
    [
        ("a.json", None, True, "youtube-vis"),
        ("a.JSON", None, False, "coco"),
        ("a.txt", None, True, "mot"),
        ("a.txt", "mots", True, "mots"),
        ("folder", "mots-png", True, "mots-png"),
        ("a.xml", None, False, "cvat"),
        ("a.csv", None, False, "csv"),
        ("a.parquet", None, False, "parquet"),
        ("a.jsonl", None, True, "json-lines"),
    ],
)
def test_format_of(path, name, has_masks, expected):
    assert format_of(path, name, has_masks=has_masks).name == expected


@pytest.mark.parametrize(("path", "name"), [("a.mp4", None), ("folder", None), ("a.json", "kitti")])
def test_unknown_formats_are_named(path, name):
    with pytest.raises(TrackFormatError, match=name or path):
        format_of(path, name)


@given(videos(masks=False, poses=False))
@settings(max_examples=5)
def test_detections_that_were_not_tracked(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.txt"
    assert write_tracks(path, info, (replace(frame, ids=None) for frame in frames)).name == "mot"
    assert all(line.split(",")[1] == "-1" for line in path.read_text().splitlines())
    assert all(frame.ids is None for frame in FORMATS["mot"].read(path)[0].frames)


def test_a_missing_package_is_named_before_the_work(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrackFormatError, match=r"a\.parquet: parquet needs the package pyarrow: pip install pyarrow"):
        format_of("a.parquet")
