"""ICTrack's own format holds everything."""

import pytest
from hypothesis import given
from track_cases import assert_equal, video_info, videos

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.track_formats import TrackFormatError
from ictrack.structures.track_formats.json_lines import header_line, open_lines, read, write

FIELDS = ("index", "scores", "classes", "boxes", "ids", "rles", "keypoints", "file_name", "time")


@given(videos())
def test_round_trip(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.jsonl"
    write(path, info, iter(frames))
    ((found_info, found),) = ((one.info, one.frames) for one in read(path))
    assert found_info == info and len(found) == len(frames)
    for ours, theirs in zip(found, frames):
        assert_equal(ours, theirs, *FIELDS)


@given(videos(masks=True))
def test_a_line_that_breaks_off_is_left_out_of_a_partial_file(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.jsonl"
    write(path, info, frames)
    path.write_bytes(path.read_bytes()[:-3])
    _, found = open_lines(path, is_partial=True)
    assert [frame.index for frame in found] == [frame.index for frame in frames[:-1]]
    with pytest.raises(AnnotationError, match=f"line {len(frames) + 1}: not valid JSON"):
        read(path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"", "is empty"),
        (b"[]\n", 'line 1: must be {"format": "ictrack"'),
        (b'{"format": "ictrack", "version": 1}\n', "line 1: KeyError: 'name'"),
        (header_line(video_info()) + b"{}\n", 'line 2: must be an object with the number "frame"'),
        (header_line(video_info()) + b'{"frame": 0}\n', "line 2: lacks 'masks'"),
        (
            header_line(video_info())
            + b'{"frame": 4, "file_name": "", "time": null, "ids": null, "scores": [1], "classes": [0],'
            + b' "boxes": [[0, 0, 1, 1]], "masks": ["~"], "keypoints": null}\n',
            r"line 2: masks\[0\]: counts holds a character",
        ),
        (
            header_line(video_info())
            + b'{"frame": 4, "file_name": "", "time": null, "ids": null, "scores": [], "classes": [],'
            + b' "boxes": [], "masks": ["~"], "keypoints": null}\n',
            r"line 2: masks\[0\]: counts holds a character",
        ),
        (
            header_line(video_info())
            + b'{"frame": 4, "file_name": "", "time": null, "ids": [1, 1], "scores": [1, 1], "classes": [0, 0],'
            + b' "boxes": [[0, 0, 1, 1], [0, 0, 1, 1]], "masks": null, "keypoints": null}\n',
            "line 2: frame 4: an identity is twice",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path, lines, message):
    path = tmp_path / "tracks.jsonl"
    path.write_bytes(lines)
    with pytest.raises(AnnotationError, match=f"tracks.jsonl: {message}"):
        read(path)


@given(videos(masks=True, poses=False))
def test_frames_out_of_order_leave_no_file(tmp_path_factory, video):
    info, frames = video
    path = tmp_path_factory.mktemp("tracks") / "tracks.jsonl"
    with pytest.raises(TrackFormatError, match="frame 0 came after"):
        write(path, info, [*frames, frames[0]])
    assert not list(path.parent.iterdir())
