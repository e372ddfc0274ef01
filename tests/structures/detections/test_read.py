"""Others' files of detections: small ones of each kind, and the mistakes that people make in them."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from pycocotools import mask as mask_util
from track_cases import HEIGHT, WIDTH, videos

from ictrack.structures.detections import read_detections
from ictrack.structures.detections.read import guess_format
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask
from ictrack.structures.track_formats import FORMATS

SIZE = (40, 80)
MASK = np.zeros(SIZE, bool)
MASK[10:20, 30:50] = True
IMAGES = [{"id": i, "file_name": f"walk/{i - 3:05d}.jpg", "height": 40, "width": 80} for i in (5, 3, 4)]
CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def assert_box(frame, box, name, source, score=1.0):
    (found,) = frame.boxes.tolist()
    assert found == pytest.approx(box) and frame.scores.tolist() == [score]
    assert [source.class_names[index] for index in frame.classes] == [name]


def test_coco_results_without_images(tmp_path):
    results = [{"image_id": 2, "category_id": 18, "bbox": [10, 5, 20, 10], "score": 0.5}]
    source = read_detections(write(tmp_path / "r.json", results))
    assert_box(source.frame(2, SIZE), [10, 5, 30, 15], "class 18", source, 0.5)
    assert len(source.frame(1, SIZE)) == 0 and source.frame(1, SIZE).index == 1


def test_coco_results_with_images(tmp_path):
    results = [{"image_id": 5, "category_id": 18, "bbox": [10, 5, 20, 10], "score": 0.5}]
    images = write(tmp_path / "i.json", {"images": IMAGES, "categories": CATEGORIES, "annotations": []})
    source = read_detections(write(tmp_path / "r.json", results), images=images)
    assert_box(source.frame(2, SIZE), [10, 5, 30, 15], "dog", source, 0.5)
    assert_box(source.frame(0, SIZE, file_name="other/folder/00002.png"), [10, 5, 30, 15], "dog", source, 0.5)
    assert len(source.frame(2, SIZE, file_name="00001.png")) == 0, "names count, not indices"


def test_coco_annotations(tmp_path):
    annotations = [
        {"id": 1, "image_id": 4, "category_id": 1, "segmentation": [[30, 10, 50, 10, 50, 20, 30, 20]], "iscrowd": 0}
    ]
    path = write(tmp_path / "a.json", {"images": IMAGES, "categories": CATEGORIES, "annotations": annotations})
    source = read_detections(path)
    frame = source.frame(1, SIZE)
    assert_box(frame, [30, 10, 50, 20], "person", source)
    np.testing.assert_array_equal(mask_util.decode(frame.rles[0]), MASK)


@pytest.mark.parametrize("more", [{"track_id": 7}, {"attributes": {"track_id": 7, "occluded": False}}])
def test_identities_of_coco(tmp_path, more):
    annotations = [{"id": 1, "image_id": 4, "category_id": 1, "bbox": [1, 2, 3, 4], **more}]
    path = write(tmp_path / "a.json", {"images": IMAGES, "categories": CATEGORIES, "annotations": annotations})
    assert read_detections(path).frame(1, SIZE).ids.tolist() == [7]


def test_coco_keypoints_are_moved_to_continuous_coordinates(tmp_path):
    results = [{"image_id": 0, "category_id": 1, "keypoints": [10, 5, 0.25] * 17, "score": 0.5}]
    source = read_detections(write(tmp_path / "r.json", results))
    assert source.frame(0, SIZE).keypoints[0, 3].tolist() == [10.5, 5.5, 0.25] and source.joint_names[0] == "nose"


def test_youtube_vis_of_two_videos(tmp_path):
    videos = [
        {"id": i, "height": 40, "width": 80, "file_names": [f"{name}/0.jpg", f"{name}/1.jpg"]}
        for i, name in ((1, "a"), (2, "b"))
    ]
    mask = encode_mask(MASK)
    annotations = [
        {"id": 7, "video_id": 2, "category_id": 18, "segmentations": [None, mask], "bboxes": None, "areas": None}
    ]
    path = write(tmp_path / "v.json", {"videos": videos, "categories": CATEGORIES, "annotations": annotations})
    source = read_detections(path)
    assert len(source.frame(1, SIZE, video_name="a")) == 0
    assert_box(source.frame(1, SIZE, video_name="b"), [30, 10, 50, 20], "dog", source)
    assert source.frame(1, SIZE, video_name="b").ids.tolist() == [7]
    with pytest.raises(AnnotationError, match="has no detections of a video 'c'; there are a, b"):
        source.frame(0, SIZE, video_name="c")


@pytest.mark.parametrize("row", ["2,-1,10,5,20,10,0.5", "2,-1,10,5,20,10,0.5,-1,-1,-1", "2 -1 10 5 20 10 0.5"])
def test_mot(tmp_path, row):
    source = read_detections(write(tmp_path / "walk" / "det" / "det.txt", row))
    frame = source.frame(1, SIZE)
    assert frame.boxes.tolist() == [[10, 5, 30, 15]] and frame.scores.tolist() == [0.5] and frame.ids is None


@pytest.mark.parametrize("layout", ["{}.txt", "{}/det/det.txt"])
def test_a_folder_of_a_file_for_each_video(tmp_path, layout):
    for x, name in ((10, "a"), (20, "b")):
        write(tmp_path / layout.format(name), f"1,-1,{x},5,20,10,0.5\n")
    source = read_detections(tmp_path)
    for x, name in ((10, "a"), (20, "b")):
        assert source.frame(0, SIZE, video_name=name).boxes.tolist() == [[x, 5, x + 20, 15]]


def test_a_folder_of_tables(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / f"{name}.csv", f"frame,x0,y0,x1,y1,class\n0,1,2,3,4,{name}\n")
    source = read_detections(tmp_path)
    assert_box(source.frame(0, SIZE, video_name="b"), [1, 2, 3, 4], "b", source)


def test_mots(tmp_path):
    mask = encode_mask(MASK)
    source = read_detections(write(tmp_path / "0002.txt", f"3 2005 2 40 80 {mask['counts']}\n"))
    assert source.class_names == ("pedestrian",) and source.frame(2, SIZE).rles == [mask]


@pytest.mark.parametrize(
    ("file", "line", "score"),
    [("00002.txt", "1 0.25 0.25 0.25 0.25", 1.0), ("street_3.txt", "1 0.25 0.25 0.25 0.25 0.5 7", 0.5)],
)
def test_yolo_boxes(tmp_path, file, line, score):
    write(tmp_path / "labels" / "classes.txt", "cat\ndog\n")
    write(tmp_path / "labels" / file, line)
    source = read_detections(tmp_path / "labels")
    assert_box(source.frame(2, SIZE), [10, 5, 30, 15], "dog", source, score)
    assert_box(source.frame(0, SIZE, file_name=file.replace("txt", "jpg")), [10, 5, 30, 15], "dog", source, score)
    assert_box(source.frame(2, (80, 160)), [20, 10, 60, 30], "dog", source, score)


def test_yolo_outlines(tmp_path):
    line = "0 0.375 0.25 0.625 0.25 0.625 0.5 0.375 0.5"
    write(tmp_path / "00000.txt", f"{line}\n{line} 0.5\n1 0.1 0.1 0.2 0.1 0.2 0.2\n")
    frame = read_detections(tmp_path).frame(0, SIZE)
    np.testing.assert_array_equal(mask_util.decode(frame.rles[1]), MASK)
    assert frame.scores.tolist() == [1, 0.5, 1] and frame.boxes[0].tolist() == [30, 10, 50, 20]


@pytest.mark.parametrize(("more", "score"), [("", 1.0), (" 0.5", 0.5), (" 0.5 3", 0.5)])
def test_yolo_poses(tmp_path, more, score):
    write(tmp_path / "00000.txt", "0 0.25 0.25 0.25 0.25 " + " ".join(["0.5 0.25 0.75"] * 17) + more)
    source = read_detections(tmp_path)
    frame = source.frame(0, SIZE)
    assert frame.keypoints[0, 16].tolist() == [40, 10, 0.75] and frame.scores.tolist() == [score]
    assert source.joint_names[16] == "right_ankle"


def shape(label, points, kind, **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


def labelme(name, *shapes):
    return {"imagePath": f"..\\images\\{name}", "imageHeight": 40, "imageWidth": 80, "shapes": shapes}


def test_labelme(tmp_path, caplog):
    write(tmp_path / "a" / "f7.json", labelme("f7.png", shape("cat", [[30, 15], [10, 5]], "rectangle")))
    write(tmp_path / "a" / "f8.json", labelme("f8.png", shape("dog", [[1, 2]], "point")))
    with caplog.at_level(logging.WARNING):
        source = read_detections(tmp_path / "a")
    assert "1 points that belong to no object, left out" in caplog.text
    assert_box(source.frame(7, SIZE), [10, 5, 30, 15], "cat", source)
    assert_box(source.frame(0, SIZE, file_name="f7.jpg"), [10, 5, 30, 15], "cat", source)


def test_labelme_polygons_of_a_group_are_one_object(tmp_path):
    left, right = [[30, 10], [40, 10], [40, 20], [30, 20]], [[40, 10], [50, 10], [50, 20], [40, 20]]
    parts = [shape("cat", left, "polygon", group_id=3), shape("cat", right, "polygon", group_id=3)]
    write(tmp_path / "f0.json", labelme("f0.png", *parts, shape("cat", left, "polygon", score=0.5)))
    frame = read_detections(tmp_path).frame(0, SIZE)
    assert len(frame) == 2 and frame.scores.tolist() == [1, 0.5]
    np.testing.assert_array_equal(mask_util.decode(frame.rles[0]), MASK)


@pytest.mark.parametrize(
    "text",
    [
        "frame,x0,y0,x1,y1,score,class\n2,10,5,30,15,0.5,dog\n",
        "Class;Frame;X;Y;W;H;Confidence\ndog;2;10;5;20;10;0.5\n",
        "filename\txmin\tymin\txmax\tymax\tlabel\tscore\n0.jpg\t1\t1\t2\t2\tdog\t1\n2.jpg\t10\t5\t30\t15\tdog\t0.5\n"
        "1.jpg\t1\t1\t2\t2\tdog\t1\n",
    ],
)
def test_csv(tmp_path, text):
    source = read_detections(write(tmp_path / "d.csv", text))
    assert_box(source.frame(2, SIZE), [10, 5, 30, 15], "dog", source, 0.5)


MISTAKES = [
    ("a.json", [{"image_id": 1, "category_id": 1}], r"a.json: \[0\]: has neither bbox nor segmentation"),
    (
        "a.json",
        [{"image_id": "x", "category_id": 1, "bbox": [1, 2, 3, 4]}],
        r"a.json: \[0\].image_id: must be an integer",
    ),
    ("a.json", [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}], r"a.json: \[0\].bbox: must be a list of 4"),
    ("a.json", {"boxes": []}, "a.json: neither COCO's nor YouTube-VIS's"),
    ("a.json", "{", "a.json: not valid JSON"),
    ("a.txt", "1,2,3\n", "a.txt: line 1: has 3 numbers"),
    ("a.txt", "1,1,1,1,1,1,1\n1,1,1,x,1,1,1\n", "a.txt: line 2: .*'x' is not a number"),
    (
        "a.txt",
        "Six words that are no masks.\n",
        "a.txt: begins with 'Six words.*', which is no row of",
    ),
    (
        "e/README.txt",
        "Boxes of 2 clips.\nMade in 2024.\n",
        "README.txt: begins with 'Boxes of 2 clips.', which is",
    ),
    ("a.csv", "frame,x0,y0,x1\n1,2,3,4\n", "a.csv: header: has no columns x0, y0, x1, y1"),
    ("a.csv", "x0,y0,x1,y1\n1,2,3,4\n", "a.csv: header: has neither a column frame nor file_name"),
    ("a.csv", "frame,x0,y0,x1,y1\n0,1,2,3,4\n1,1,2,3\n", "a.csv: line 3: has 4 values, the header 5"),
    ("a.csv", "frame,x0,y0,x1,y1\n0,1,two,3,4\n", "a.csv: line 2: y0: must be a finite number, not 'two'"),
    ("a.csv", "frame,x0,y0,x1,y1\n0.5,1,2,3,4\n", "a.csv: line 2: frame: must be a whole number"),
    ("a.csv", "frame,x0,y0,x1,y1,X0\n0,1,2,3,4,5\n", "a.csv: header: has 2 columns 'x0'"),
    (
        "a.csv",
        'frame,x0,y0,x1,y1,class\n0,1,2,3,4,a\n1,1,2,3,4,"a\n2,1,2,3,4,a\n',
        "a.csv: line 3: has a quote that is not closed in the line",
    ),
    (
        "a.csv",
        'frame,x0,y0,x1,y1,class\n1,1,2,3,4,"a\n2,1,2,3,4,a"\n',
        "a.csv: line 2: has a quote that is not closed in the line",
    ),
    ("a.csv", 'frame,x0,y0,x1,y1,class\n1,1,2,3,4,"a"b\n', "a.csv: line 2: ',' expected after"),
    ("a.csv", "frame,x0,y0,x1,y1\n0,1,2,3,4\n7,30,2,3,4\n", "a.csv: frame 7: a box has swapped corners.*: 30, 2, 3, 4"),
    (
        "a.csv",
        "frame,x,y,w,h\n0,1,2,3,-4\n",
        "a.csv: frame 0: a box has swapped corners, or a negative width or height",
    ),
    ("a.txt", "1,-1,1,2,3,-4,0.9\n", "a.txt: frame 0: a box has swapped corners"),
    (
        "a.json",
        [{"image_id": 0, "category_id": 1, "bbox": [1, 2, -3, 4]}],
        "a.json: frame 0: a box has swapped corners",
    ),
    ("y/a.txt", "0 0.5 0.5 -0.1 0.5\n", "a.txt: line 1: a box has a negative width or height: -0.1 0.5"),
    ("a.xml", "<annotations>", "a.xml: not valid XML"),
    ("a.xml", "<a/>", "a.xml: must be CVAT's <annotations>"),
    ("y/a.txt", "0 0.5 0.5 0.5\n", "a.txt: line 1: has 4 numbers, must have class"),
    ("y/a.txt", "0 0.5 0.5 0.5 0.5\n0 100 100 20 20\n", "a.txt: line 2: coordinates must be shares"),
    ("y/a.txt", "0.5 0.5 0.5 0.5 0.5\n", "a.txt: line 1: the class must be a whole number below 100000"),
    ("y/a.txt", "1e12 0.5 0.5 0.5 0.5\n", "a.txt: line 1: the class must be a whole number below 100000"),
    ("y/a.txt", "0 0.5 zero 0.5 0.5\n", "a.txt: line 1: must be numbers, not '0 0.5 zero"),
    ("l/a.json", {"shapes": [], "imageHeight": 0, "imageWidth": 3}, "a.json: imageHeight: must be a positive"),
    (
        "l/a.json",
        labelme("a", shape("x", [[1, 2]], "rectangle")),
        r"shapes\[0\].points: a rectangle has 2 or 4 corners",
    ),
    ("e/a.doc", "", "e: holds no files of detections"),
    ("a.doc", "", "a.doc: detections in a file of this suffix are unknown"),
]


def test_boxes_without_a_part_of_the_frame_are_left_out_and_counted(tmp_path, caplog):
    boxes = "0,-9,0,-2,9", "0,0,0,9,9", "0,90,0,99,9", "1,5,5,5,9", "1,-9,-9,1,1"
    source = read_detections(write(tmp_path / "d.csv", "\n".join(["frame,x0,y0,x1,y1", *boxes])))
    assert source.frame(0, SIZE).boxes.tolist() == [[0, 0, 9, 9]]
    assert source.frame(1, SIZE).boxes.tolist() == [[-9, -9, 1, 1]]
    with caplog.at_level(logging.WARNING):
        source.end_video()
    assert "d.csv: 2 boxes lie outside the frames, and are left out" in caplog.text
    assert "d.csv: 1 boxes have no width or no height, and are left out" in caplog.text


@pytest.mark.parametrize(("box", "is_odd"), [("0.1,0.2,0.3,0.4", True), ("0,0,1,1.5", False)])
def test_shares_of_the_frame_in_place_of_pixels_are_told(tmp_path, caplog, box, is_odd):
    with caplog.at_level(logging.WARNING):
        read_detections(write(tmp_path / "d.csv", f"frame,x0,y0,x1,y1\n0,{box}\n"))
    assert ("d.csv: all boxes lie in the first pixel: their coordinates must be pixels" in caplog.text) == is_odd


@pytest.mark.parametrize(("file", "content", "message"), MISTAKES)
def test_a_mistake_is_named(tmp_path, file, content, message):
    path = write(tmp_path / file, content)
    with pytest.raises(AnnotationError, match=message):
        read_detections(path if path.parent == tmp_path else path.parent)


def test_text_is_recognized_where_its_first_lines_are_damaged(tmp_path):
    rows = {"mot": "one,1,1,2,3,4,1\n1,2,1,2,3,4,1\n", "mots": "one 1 2 48 64 PPP\n"}
    for name, text in rows.items():
        assert guess_format(write(tmp_path / "a.txt", text)) == name
    assert guess_format(write(tmp_path / "a.txt", "frame,id,x,y,w,h\n1,2,1,2,3,4\n")) == "mot"
    assert guess_format(write(tmp_path / "a.txt", "")) == "mot"


def test_names_of_classes_are_no_detections(tmp_path):
    write(tmp_path / "classes.txt", "a person\n")
    assert guess_format(tmp_path) == "yolo"
    write(tmp_path / "walk.txt", "0 0.5 0.5 0.1 0.1\n")
    assert guess_format(tmp_path) == "yolo"


def test_absent_files_and_unknown_formats_are_named(tmp_path):
    with pytest.raises(AnnotationError, match="absent: no such file"):
        guess_format(tmp_path / "absent")
    with pytest.raises(AnnotationError, match="'kitti' is no format of detections; the formats are youtube-vis"):
        read_detections(tmp_path, "kitti")


@pytest.mark.parametrize("name", FORMATS)
@given(video=videos(masks=True, poses=True, separate=True))
@settings(max_examples=5)
def test_what_is_saved_can_be_tracked_again(tmp_path_factory, name, video):
    """Every format of tracks is found by its content, but for PoseTrack's, which looks like COCO's and is named."""
    info, frames = video
    frames = [replace(frame, classes=np.zeros(len(frame), dtype=np.int64)) for frame in frames]
    path = tmp_path_factory.mktemp("tracks") / f"tracks{FORMATS[name].suffixes[0]}"
    FORMATS[name].write(path, info, frames)
    source = read_detections(path, name if name == "posetrack" else None)
    for frame in frames:
        found = source.frame(frame.index, (HEIGHT, WIDTH))
        assert len(found) == len(frame) and sorted(found.ids.tolist() if len(found) else []) == frame.ids.tolist()
