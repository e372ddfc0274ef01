"""CVAT's XML: what CVAT itself would read, and what a person has drawn in it."""

import logging
from xml.etree import ElementTree

import numpy as np
import pytest
from pycocotools import mask as mask_util

from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask
from ictrack.structures.track_formats.cvat import write
from ictrack.structures.track_formats.cvat_reader import read

INFO = VideoInfo("walk", 6, 8, 25.0, ("dog & cat", "cow"), (1, 2))


def frame(index, ids, **fields):
    num = len(ids)
    return FrameTracks(
        index, np.full(num, 0.5), np.zeros(num, int), np.tile([1.0, 2, 3, 4], (num, 1)), np.array(ids), **fields
    )


def test_a_track_that_is_away_is_outside_once(tmp_path):
    write(tmp_path / "t.xml", INFO, [frame(0, [4]), frame(1, []), frame(2, []), frame(3, [4]), frame(4, [])])
    root = ElementTree.parse(tmp_path / "t.xml").getroot()
    (track,) = root.findall("track")
    assert (track.get("id"), track.get("label")) == ("4", "dog & cat")
    assert [(box.get("frame"), box.get("outside")) for box in track] == [("0", "0"), ("1", "1"), ("3", "0"), ("4", "1")]
    assert root.findtext("meta/task/size") == "5" and root.findtext("version") == "1.1"
    assert [label.text for label in root.iterfind(".//labels/label/name")] == ["dog & cat", "cow"]


def test_a_mask_is_in_rows_of_its_box(tmp_path):
    mask = np.zeros((6, 8), bool)
    mask[1, 2:4] = mask[2, 3:6] = True
    write(tmp_path / "t.xml", INFO, [frame(0, [4], rles=[encode_mask(mask)])])
    (element,) = ElementTree.parse(tmp_path / "t.xml").getroot().iter("mask")
    assert element.get("rle") == "0, 2, 3, 3"
    assert [element.get(name) for name in ("left", "top", "width", "height")] == ["2", "1", "4", "2"]


def test_each_mask_is_a_track_of_its_own_since_cvat_reads_only_the_first_of_a_track(tmp_path):
    mask = np.zeros((6, 8), bool)
    mask[1:3, 1:3] = True
    frames = [frame(index, [4], rles=[encode_mask(mask)]) for index in range(3)]
    write(tmp_path / "t.xml", INFO, frames)
    tracks = ElementTree.parse(tmp_path / "t.xml").getroot().findall("track")
    assert [len(track) for track in tracks] == [1, 1, 1] and [track.get("id") for track in tracks] == ["0", "1", "2"]
    assert [one.ids.tolist() for one in read(tmp_path / "t.xml")[0].frames] == [[4]] * 3


def test_joints_have_the_attributes_that_cvat_reads(tmp_path):
    info = VideoInfo("walk", 6, 8, 25.0, ("dog",), (1,), ("nose", "tail"))
    pose = np.array([[[1.0, 2, 0.5], [3, 4, 0]]])
    write(tmp_path / "t.xml", info, [frame(0, [4], keypoints=pose), frame(1, [])])
    first, last = ElementTree.parse(tmp_path / "t.xml").getroot().find("track")
    assert [(point.get("label"), point.get("outside")) for point in first][1:] == [("nose", "0"), ("tail", "1")]
    assert (last.get("frame"), last.get("outside")) == ("1", "1")
    assert all(point.get("keyframe") == "1" and point.get("occluded") == "0" for point in first.iter("points"))


HEAD = (
    "<annotations><version>1.1</version><meta><task><name>walk</name><labels><label><name>dog</name></label></labels>"
    "<original_size><width>8</width><height>6</height></original_size></task></meta>"
)
POLYGON = '<polygon frame="3" outside="0" points="2,1;6,1;6,4;2,4"/>'


def test_polygons_are_read(tmp_path, caplog):
    points = '<points frame="3" outside="0" points="1,1"/>'
    (tmp_path / "t.xml").write_text(f'{HEAD}<track id="7" label="dog">{POLYGON}{points}</track></annotations>')
    with caplog.at_level(logging.WARNING):
        (video,) = read(tmp_path / "t.xml")
    assert "1 shapes of the kind 'points', left out" in caplog.text
    (found,) = video.frames
    assert (found.index, found.ids.tolist(), video.info.class_names) == (3, [7], ("dog",))
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(mask_util.decode(found.rles[0]), expected)


def test_images_are_frames(tmp_path):
    box = '<box label="dog" occluded="0" xtl="1.5" ytl="2" xbr="3" ybr="4"/>'
    image = (
        f'<image id="0" name="a/x.png" width="8" height="6"/><image id="1" name="a/y.png" width="8" height="6">{box}'
    )
    (tmp_path / "t.xml").write_text(f"<annotations>{image}</image></annotations>")
    (video,) = read(tmp_path / "t.xml")
    assert [one.file_name for one in video.frames] == ["x.png", "y.png"]
    assert video.frames[1].boxes.tolist() == [[1.5, 2, 3, 4]] and video.frames[1].ids is None


@pytest.mark.parametrize(
    ("element", "message"),
    [
        ('<box frame="x" xtl="1" ytl="1" xbr="2" ybr="2"/>', "track 7, box of frame x: frame: must be a whole number"),
        ('<box frame="1" xtl="one" ytl="1" xbr="2" ybr="2"/>', "xtl: must be a finite number, not 'one'"),
        ('<polygon frame="1" points="1,1;2"/>', "points must be x,y;x,y"),
        ('<polygon frame="1" points="1,1;2,2"/>', "a polygon is a list of at least three"),
        ('<mask frame="1" rle="1, 2" left="0" top="0" width="2" height="2"/>', "rle do not add up to 2 x 2 pixels"),
        ('<mask frame="1" rle="1, 3" left="7" top="0" width="2" height="2"/>', "box is not inside the frame of 8 x 6"),
        ('<mask frame="1" rle="a" left="0" top="0" width="2" height="2"/>', "rle must be whole numbers, not 'a'"),
    ],
)
def test_a_wrong_shape_is_named(tmp_path, element, message):
    (tmp_path / "t.xml").write_text(f'{HEAD}<track id="7" label="dog">{element}</track></annotations>')
    with pytest.raises(AnnotationError, match=message):
        read(tmp_path / "t.xml")
