"""Planted defects: each is found, by its kind, at its place; clean sets have none."""

import copy
import json
from pathlib import Path

import coco_squares
import cv2
import numpy as np
import pytest
import tiny_posetrack_dataset
import tiny_video_dataset
from PIL import Image

from ictrack.data.frame_stream import VideoReadError
from ictrack.data.lint import lint_annotations


def found(result):
    """(Kind, place without file names) of every defect."""
    return [(defect.kind, defect.where) for defect in result.defects.found]


# ---------------------------------------------------------------- COCO


@pytest.fixture
def coco(tmp_path):
    """A function that checks a clean file after a change of its content."""
    coco_squares.write_squares(tmp_path)

    def check(change=lambda data: None, with_images=True):
        data = coco_squares.content_of(2)
        change(data)
        path = tmp_path / "coco.json"
        path.write_text(json.dumps(data))
        return lint_annotations(path, tmp_path if with_images else None)

    return check


def put(key, index, **values):
    """A change of an entry; a value None takes the key away."""

    def change(data):
        entry = data[key][index]
        for name, value in values.items():
            entry[name] = value
            if value is None:
                del entry[name]

    return change


def repeat(key, index, **values):
    def change(data):
        data[key].append({**copy.deepcopy(data[key][index]), **values})

    return change


RLE = {"size": [64, 96], "counts": [0, 64 * 96]}
POSE = {"keypoints": [5, 5, 2, 9, 9, 1, 0, 0, 0], "num_keypoints": 2}


def poses(**values):
    def change(data):
        data["categories"][0]["keypoints"] = ["nose", "ear", "tail"]
        data["annotations"][2].update({**POSE, **values})

    return change


def tracks(*entries, videos=(1, 1, 1, 2, 2, 2)):
    """Tracks of the first annotations: (track, category) of each, two in each image."""

    def change(data):
        for image, video in zip(data["images"], videos):
            image["video_id"] = video
        for annotation, (track, category) in zip(data["annotations"], entries):
            annotation |= {"track_id": track, "category_id": category}

    return change


COCO_DEFECTS = {
    "image id twice": (put("images", 3, id=2), ("id", "images[3].id")),
    "annotation id twice": (put("annotations", 3, id=1), ("id", "annotations[3].id")),
    "annotation without id": (put("annotations", 3, id=None), ("id", "annotations[3].id")),
    "category id of text": (repeat("categories", 0, id="5", name="x"), ("id", "categories[2].id")),
    "unknown image": (put("annotations", 0, image_id=99), ("reference", "annotations[0].image_id")),
    "unknown category": (put("annotations", 0, category_id=[5]), ("reference", "annotations[0].category_id")),
    "name twice": (put("categories", 1, name="Square 0 "), ("category", "categories[1].name")),
    "unused category": (repeat("categories", 0, id=77, name="x"), ("category", "categories[2]")),
    "file twice": (put("images", 1, file_name="0.png"), ("name", "images[1].file_name")),
    "no file name": (put("images", 1, file_name=None), ("name", "images[1].file_name")),
    "missing file": (put("images", 1, file_name="9.png"), ("missing file", "images[1]")),
    "other size": (put("images", 1, height=96, width=64), ("size", "images[1]")),
    "no size": (put("images", 1, height=0), ("size", "images[1]")),
    "box beside its mask": (put("annotations", 4, bbox=[1, 1, 3, 3]), ("mask", "annotations[4].segmentation")),
    "shares of the image": (
        lambda data: [one.update(bbox=[0.1, 0.1, 0.5, 0.5], segmentation=[]) for one in data["annotations"]],
        ("box", "boxes"),
    ),
    "object twice": (repeat("annotations", 4, id=99), ("duplicate", "annotations[12]")),
    "absolute name": (put("images", 0, file_name="/data/a.png"), ("name", "images[0]")),
    "box outside": (put("annotations", 4, bbox=[80, 5, 30, 10]), ("box", "annotations[4].bbox")),
    "box far outside": (put("annotations", 4, bbox=[800, 5, 30, 10]), ("box", "annotations[4].bbox")),
    "negative box": (put("annotations", 4, bbox=[8, 5, -3, 10]), ("box", "annotations[4].bbox")),
    "empty box": (put("annotations", 4, bbox=[8, 5, 0, 10]), ("box", "annotations[4].bbox")),
    "infinite box": (put("annotations", 4, bbox=[8, 5, float("inf"), 1]), ("box", "annotations[4].bbox")),
    "RLE of another size": (
        put("annotations", 2, segmentation={**RLE, "size": [96, 64]}),
        ("mask", "annotations[2].segmentation.size"),
    ),
    "RLE sum": (
        put("annotations", 2, segmentation={**RLE, "counts": [5, 6]}),
        ("mask", "annotations[2].segmentation"),
    ),
    "RLE string": (
        put("annotations", 2, segmentation={**RLE, "counts": "PPP~"}),
        ("mask", "annotations[2].segmentation"),
    ),
    "empty mask": (
        put("annotations", 2, segmentation={**RLE, "counts": [64 * 96]}),
        ("mask", "annotations[2].segmentation"),
    ),
    "two points": (put("annotations", 2, segmentation=[[1, 2, 3, 4]]), ("mask", "annotations[2].segmentation[0]")),
    "odd polygon": (
        put("annotations", 2, segmentation=[[1, 2, 3, 4, 5, 6, 7]]),
        ("mask", "annotations[2].segmentation[0]"),
    ),
    "polygon outside": (
        put("annotations", 2, segmentation=[[1, 2, 300, 4, 5, 6]]),
        ("mask", "annotations[2].segmentation[0]"),
    ),
    "area": (put("annotations", 2, area=5), ("area", "annotations[2].segmentation")),
    "negative area": (put("annotations", 2, area=-5), ("area", "annotations[2].area")),
    "crowd": (put("annotations", 2, iscrowd=2), ("flag", "annotations[2].iscrowd")),
    "joints": (poses(keypoints=[1, 2, 2]), ("keypoints", "annotations[2].keypoints")),
    "count of joints": (poses(num_keypoints=3), ("keypoints", "annotations[2].keypoints")),
    "visibility": (
        poses(keypoints=[5, 5, 3, 9, 9, 1, 0, 0, 0]),
        ("keypoints", "annotations[2].keypoints"),
    ),
    "joint outside": (
        poses(keypoints=[500, 5, 2, 9, 9, 1, 0, 0, 0]),
        ("keypoints", "annotations[2].keypoints"),
    ),
    "category of a track": (tracks((1, 5), (2, 6), (1, 6), (2, 6)), ("track", "annotations[2].category_id")),
    "track twice": (tracks((1, 5), (1, 5)), ("track", "annotations[1].track_id")),
    "jump": (
        lambda data: (
            tracks((1, 5), (2, 6), (1, 5))(data),
            put("annotations", 2, bbox=[90, 60, 4, 4])(data),
            put("annotations", 0, bbox=[0, 0, 4, 4])(data),
        ),
        ("jump", "annotations[2].bbox"),
    ),
    "negative track": (tracks((-1, 5)), ("track", "annotations[0].track_id")),
    "order": (
        lambda data: (tracks()(data), data["images"].insert(0, data["images"].pop(1))),
        ("order", "images of video 1[1]"),
    ),
    "annotations of another kind": (lambda data: data.update(annotations={}), ("structure", "annotations")),
    "entry of another kind": (lambda data: data["annotations"].append(7), ("structure", "annotations[12]")),
}


def test_a_clean_file(coco):
    for with_images in (True, False):
        assert found(coco(with_images=with_images)) == []
    assert found(coco(poses())) == []
    assert found(coco(tracks((1, 5), (2, 6), (1, 5), (2, 6), (1, 5), (2, 6), (1, 6), (2, 5)))) == []
    assert coco().contents[0].endswith("coco.json: COCO: 6 images, 12 annotations, 2 categories")


@pytest.mark.parametrize("name", COCO_DEFECTS)
def test_a_defect_of_coco(coco, name):
    change, expected = COCO_DEFECTS[name]
    result = coco(change)
    assert expected in found(result)
    # What follows from it may be said, too, but nothing else.
    assert len(result.defects.found) <= 5, found(result)


def test_many_damaged_masks(coco):
    def damage(data):
        for annotation in data["annotations"][::2]:
            annotation["segmentation"]["counts"] = [1]

    assert found(coco(damage)) == [("mask", f"annotations[{i}].segmentation") for i in range(0, 12, 2)]


def test_files_that_are_no_images(coco, tmp_path):
    (tmp_path / "3.png").write_text("no image")
    assert found(coco()) == [("unreadable file", "images[3]")]


def test_a_turned_photo_has_its_upright_size(coco, tmp_path):
    image = Image.fromarray(np.zeros((96, 64, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "2.jpg", exif=exif)
    assert found(coco(put("images", 2, file_name="2.jpg"))) == []


# ---------------------------------------------------------------- YouTube-VIS


@pytest.fixture
def youtube_vis(tmp_path):
    _, images = tiny_video_dataset.write_dataset(tmp_path)

    def check(change=lambda data: None):
        data = tiny_video_dataset.ground_truth()
        data = copy.deepcopy(data)
        for annotation in data["annotations"]:
            for mask in annotation["segmentations"]:
                if mask is not None and isinstance(mask["counts"], bytes):
                    mask["counts"] = mask["counts"].decode()
        change(data)
        (tmp_path / "vis.json").write_text(json.dumps(data))
        return lint_annotations(tmp_path / "vis.json", images)

    return check


def swap_frames(data):
    names = data["videos"][1]["file_names"]
    names[1], names[2] = names[2], names[1]


def in_track(key, index, frame, value):
    def change(data):
        data["annotations"][index][key][frame] = value

    return change


VIS_DEFECTS = {
    "video id twice": (put("videos", 1, id=7), ("id", "videos[1].id")),
    "length": (put("videos", 1, length=9), ("length", "videos[1].length")),
    "order": (swap_frames, ("order", "videos[1].file_names[2]")),
    "frame twice": (
        lambda data: data["videos"][1]["file_names"].__setitem__(1, "clip2/00000.png"),
        ("order", "videos[1].file_names[1]"),
    ),
    "missing frame": (
        lambda data: data["videos"][1]["file_names"].__setitem__(4, "clip2/00009.png"),
        ("missing file", "videos[1].file_names[4]"),
    ),
    "other size": (put("videos", 2, height=64, width=48), ("size", "videos[2].file_names[0]")),
    "too few entries": (
        lambda data: data["annotations"][0]["segmentations"].pop(),
        ("length", "annotations[0].segmentations"),
    ),
    "never there": (
        put("annotations", 0, segmentations=[None] * 3, areas=[None] * 3),
        ("track", "annotations[0]"),
    ),
    "areas of other frames": (in_track("areas", 0, 1, None), ("track", "annotations[0].areas")),
    "RLE sum": (
        in_track("segmentations", 0, 1, {"size": [48, 64], "counts": [3, 4]}),
        ("mask", "annotations[0].segmentations[1]"),
    ),
    "RLE of another size": (
        in_track("segmentations", 0, 1, {"size": [64, 48], "counts": [3, 3069]}),
        ("mask", "annotations[0].segmentations[1].size"),
    ),
    "box outside": (
        put("annotations", 0, bboxes=[[1, 1, 5, 5], [60, 1, 50, 5], [1, 1, 5, 5]]),
        ("box", "annotations[0].bboxes[1]"),
    ),
    "jump": (
        put("annotations", 0, bboxes=[[1, 1, 5, 5], [55, 40, 5, 5], [54, 40, 5, 5]]),
        ("jump", "annotations[0].bboxes[1]"),
    ),
    "jump of masks": (
        in_track("segmentations", 0, 1, {"size": [48, 64], "counts": [3020, 4, 44, 4]}),
        ("jump", "annotations[0].segmentations[1]"),
    ),
    "jump of polygons": (
        put(
            "annotations",
            0,
            segmentations=[[[1, 1, 5, 1, 5, 5]], [[55, 40, 60, 40, 60, 45]], None],
            areas=[8, 12, None],
        ),
        ("jump", "annotations[0].segmentations[1]"),
    ),
    "unknown video": (put("annotations", 0, video_id=8), ("reference", "annotations[0].video_id")),
    "neither masks nor boxes": (put("annotations", 0, segmentations=None), ("structure", "annotations[0]")),
    "no names": (put("videos", 0, file_names=[]), ("name", "videos[0].file_names")),
}


def test_clean_videos(youtube_vis):
    result = youtube_vis()
    assert found(result) == []
    assert "YouTube-VIS: 3 videos of 12 frames, 9 tracks, 2 categories" in result.contents[0]
    assert found(youtube_vis(lambda data: data.pop("annotations"))) == []


@pytest.mark.parametrize("name", VIS_DEFECTS)
def test_a_defect_of_youtube_vis(youtube_vis, name):
    change, expected = VIS_DEFECTS[name]
    result = youtube_vis(change)
    assert expected in found(result)
    assert len(result.defects.found) <= 14, found(result)


# ---------------------------------------------------------------- PoseTrack


@pytest.fixture
def posetrack(tmp_path):
    folder, root = tiny_posetrack_dataset.write_dataset(tmp_path)

    def check(change=lambda data: None):
        path = tmp_path / "annotations" / "000002_bonn_test.json"
        data = tiny_posetrack_dataset.sequence_file("000002_bonn_test")
        change(data)
        path.write_text(json.dumps(data))
        return lint_annotations(folder, root)

    return check


POSE_DEFECTS = {
    "order": (lambda data: data["images"].reverse(), ("order", "images[1]")),
    "another folder": (put("images", 1, file_name="images/val/x/000001.jpg"), ("order", "images[1].file_name")),
    "image id of another file": (put("images", 1, id=10_000_010_000), ("id", "images[1].id")),
    "track twice": (put("annotations", 1, track_id=0), ("track", "annotations[1].track_id")),
    "no track": (put("annotations", 1, track_id=None), ("track", "annotations[1].track_id")),
    "category of a track": (put("annotations", 2, category_id=2), ("track", "annotations[2].category_id")),
    "joints": (put("annotations", 2, keypoints=[0] * 45), ("keypoints", "annotations[2].keypoints")),
    "no joints": (put("annotations", 2, keypoints=None), ("keypoints", "annotations[2]")),
    "head box": (put("annotations", 2, bbox_head=[1, 2]), ("box", "annotations[2].bbox_head")),
    "box outside": (put("annotations", 2, bbox=[500, 1, 9, 9]), ("box", "annotations[2].bbox")),
    "jump": (
        lambda data: (put("annotations", 0, bbox=[1, 1, 6, 6])(data), put("annotations", 2, bbox=[70, 40, 6, 6])(data)),
        ("jump", "annotations[2].bbox"),
    ),
    "labeled": (put("images", 2, is_labeled="yes"), ("flag", "images[2].is_labeled")),
    "names of joints": (put("categories", 0, keypoints=["nose"] * 17), ("keypoints", "categories[0].keypoints")),
}


def test_clean_poses(posetrack):
    result = posetrack()
    assert found(result) == []
    assert [line.split(": ", 1)[1] for line in result.contents] == [
        "PoseTrack: 3 frames, 5 poses",
        "PoseTrack: 4 frames, 7 poses",
    ]


@pytest.mark.parametrize("name", POSE_DEFECTS)
def test_a_defect_of_posetrack(posetrack, name):
    change, (kind, where) = POSE_DEFECTS[name]
    result = posetrack(change)
    assert (kind, f"000002_bonn_test.json: {where}") in found(result)
    assert len(result.defects.found) <= 9, found(result)


def test_a_frame_of_another_size(posetrack, tmp_path):
    path = tmp_path / "images" / "val" / "000002_bonn_test" / "000002.jpg"
    cv2.imwrite(str(path), np.zeros((60, 100, 3), np.uint8))
    assert found(posetrack()) == [("size", "000002_bonn_test.json: images[2]")]


# ---------------------------------------------------------------- files and summary

GOLDEN = Path(__file__).parents[1]


@pytest.mark.parametrize("case", sorted(path.name for path in GOLDEN.glob("golden_pose/*")))
def test_made_up_poses_have_no_errors(case):
    assert lint_annotations(GOLDEN / "golden_pose" / case / "gt").defects.num_errors == 0


@pytest.mark.parametrize("case", sorted(path.name for path in GOLDEN.glob("golden_vis/*")))
def test_made_up_videos_have_the_errors_that_they_are_made_for(case):
    (path,) = (GOLDEN / "golden_vis" / case).glob("gt.json*")
    errors = {defect.kind for defect in lint_annotations(path).defects.found if defect.is_error}
    assert errors == ({"track", "mask"} if case == "vis_tiny_nulls_s0" else set())


def test_id_0_of_a_track(youtube_vis):
    assert found(youtube_vis(put("annotations", 0, id=0))) == [("id", "annotations")]


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"a": 1}', '{"images": 7}', '{"videos": [3], "categories": null}', ""]
)
def test_other_files(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    assert lint_annotations(tmp_path / "x.json").defects.num_errors > 0


def test_an_empty_folder(tmp_path):
    with pytest.raises(VideoReadError, match="no video file and no folder of images"):
        lint_annotations(tmp_path)


def test_headers_of_some_files(coco, tmp_path):
    for index in range(6):
        (tmp_path / f"{index}.png").write_text("no image")
    coco()
    assert len(lint_annotations(tmp_path / "coco.json", tmp_path, every=3).defects.found) == 2


def test_summary(coco):
    def change(data):
        for annotation in data["annotations"][1:]:
            annotation |= {"bbox": [0, 0, 500, 5], "segmentation": []}
        data["annotations"][0]["area"] = 5

    lines = list(coco(change).defects.lines(most=2))
    assert lines[0].startswith("error: annotations[1].bbox: [0, 0, 500, 5] lies partly outside of the image of 96 x 64")
    assert lines[2] == "error: box: 9 more"
    assert lines[3].startswith("warning: annotations[0].segmentation: covers 576 pixels, its area is 5")
    assert lines[-2:] == ["errors: 11 (box 11)", "warnings: 1 (area 1)"]
