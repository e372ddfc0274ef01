"""``ictrack track --detections``: what another detector found, without any configuration."""

import json
import logging

import cv2
import numpy as np
import pytest
from color_detector import scene
from tiny_onnx import write_color_detector

from ictrack.command.main import main
from ictrack.data.video_writer import VideoWriter
from ictrack.structures.rle import encode_mask
from ictrack.structures.track_formats import FORMATS

NUM_FRAMES = 12


@pytest.fixture(autouse=True)
def _no_log(monkeypatch):
    """It would keep a test's captured stdout for the tests after it."""
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)


def squares(index):
    """Corners of the two squares of :func:`scene` that are always in sight."""
    return [(8 + 3 * index, 8), (68 - 3 * index, 26)]


@pytest.fixture()
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "walk").mkdir()
    with VideoWriter("clip.mp4", 12) as writer:
        for index in range(NUM_FRAMES):
            writer.write(scene(index))
            cv2.imwrite(f"walk/{index:05d}.png", scene(index))
    rows = [
        f"{i + 1},-1,{x},{y},14,14,0.9,-1,-1,-1\n" for i in range(NUM_FRAMES) for x, y in squares(i)[:: 1 - 2 * (i % 2)]
    ]
    (tmp_path / "det.txt").write_text("".join(rows))
    return tmp_path


def track(*words):
    return main(["track", "--device", "cpu", *words])


def ids_by_square(frames):
    """Identities of the two squares in each frame, by their place."""
    found = []
    for frame in frames:
        order = np.argsort(frame.boxes[:, 1])
        found.append(tuple(frame.ids[order].tolist()))
    return found


@pytest.mark.parametrize("source", ["clip.mp4", "walk"])
def test_boxes_of_a_file_are_tracked_and_saved(world, source):
    assert track("--input", source, "--detections", "det.txt", "--save-tracks", "t.json") == 0
    (video,) = FORMATS["coco"].read("t.json")
    assert len(set(ids_by_square(video.frames))) == 1 and len(video.frames) == NUM_FRAMES
    assert video.frames[5].boxes.tolist() == [[53, 26, 67, 40], [23, 8, 37, 22]]


def test_masks_and_classes_of_a_file(world):
    results = []
    for i in range(NUM_FRAMES):
        for category, (x, y) in enumerate(squares(i), 1):
            mask = np.zeros((64, 96), bool)
            mask[y : y + 14, x : x + 14] = True
            results.append({"image_id": i, "category_id": category, "score": 0.9, "segmentation": encode_mask(mask)})
    (world / "r.json").write_text(json.dumps(results))
    assert track("--input", "clip.mp4", "--detections", "r.json", "--save-tracks", "t.json", "--output", "t.mp4") == 0
    content = json.loads((world / "t.json").read_text())
    assert [category["name"] for category in content["categories"]] == ["class 1", "class 2"]
    for track_, (x, y) in zip(content["annotations"], squares(3)):
        assert track_["bboxes"][3] == [x, y, 14, 14]
    assert (world / "t.mp4").exists()


def test_only_some_classes(world):
    (world / "d.csv").write_text("frame,x0,y0,x1,y1,class\n0,8,8,22,22,cat\n0,68,26,82,40,dog\n")
    words = ["--input", "clip.mp4", "--detections", "d.csv", "--save-tracks", "t.csv"]
    assert track(*words, "--classes", "dog") == 0
    assert (world / "t.csv").read_text().count("\n") == 2 and ",dog," in (world / "t.csv").read_text()


def test_classes_keep_their_ids(world):
    box = {"image_id": 1, "category_id": 18, "bbox": [8, 8, 14, 14], "id": 1}
    images = [{"id": i + 1, "file_name": f"{i:05d}.png", "height": 64, "width": 96} for i in range(NUM_FRAMES)]
    categories = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}]
    (world / "d.json").write_text(json.dumps({"images": images, "categories": categories, "annotations": [box]}))
    assert track("--input", "walk", "--detections", "d.json", "--save-tracks", "t.json") == 0
    content = json.loads((world / "t.json").read_text())
    assert content["categories"] == categories and content["annotations"][0]["category_id"] == 18


def test_without_the_frozen_features_boxes_are_followed_by_their_overlap(world, monkeypatch, caplog):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with caplog.at_level(logging.WARNING):
        assert track("--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "t.txt") == 0
    assert "followed by the overlap of boxes, since the package efficientnet" in caplog.text
    (video,) = FORMATS["mot"].read("t.txt")
    assert len(set(ids_by_square(video.frames[:4]))) == 1


def test_poses_of_a_file_are_drawn_with_their_joints(world):
    header = "frame,x0,y0,x1,y1," + ",".join(
        f"{joint}_{part}" for joint in ("head", "tail") for part in ["x", "y", "score"]
    )
    (world / "p.csv").write_text(f"{header}\n0,8,8,22,22,10,10,0.9,20,20,0.8\n1,8,8,22,22,11,10,0.9,21,20,0.8\n")
    words = ["--input", "clip.mp4", "--detections", "p.csv", "--save-tracks", "t.csv", "--output", "t.mp4"]
    assert track(*words) == 0
    assert "head_x,head_y,head_score,tail_x" in (world / "t.csv").read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "900,-1,1,2,3,4,0.9\n",
            "det.txt: none of the 1 frames with detections is in the video, whose frames",
        ),
        ("1,-1,1,2\n", "det.txt: line 1: has 4 numbers"),
    ],
)
def test_mistakes_are_one_line(world, capsys, content, message):
    (world / "det.txt").write_text(content)
    assert track("--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "t.json") == 1
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert message in error and not (world / "t.json").exists()


def test_frames_that_the_video_lacks_are_counted(world, caplog):
    with open("det.txt", "a") as file:
        file.write("900,-1,1,2,3,4,0.9,-1,-1,-1\n")
    with caplog.at_level(logging.WARNING):
        assert track("--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "t.json") == 0
    assert "det.txt: 1 of 13 frames with detections are not in the video" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        words = ["--detections", "det.txt", "--save-tracks", "t.json", "--max-frames", "3"]
        assert track("--input", "clip.mp4", *words) == 0
    assert "not in the video" not in caplog.text


def test_parts_of_a_video_keep_their_numbers(world, caplog):
    words = ["--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "t.csv"]
    with caplog.at_level(logging.WARNING):
        assert track(*words, "--start", "5", "--stride", "3") == 0
    rows = [row.split(",")[5:9] for row in (world / "t.csv").read_text().splitlines()[1:3]]
    assert rows == [["53.0", "26.0", "67.0", "40.0"], ["23.0", "8.0", "37.0", "22.0"]]
    assert "not in the video" not in caplog.text


@pytest.mark.parametrize("file", ["p.json", "p.csv", "p.parquet", "p.jsonl", "p.txt", "p.xml"])
def test_tracks_of_a_part_are_tracked_again(world, caplog, file):
    """The numbers of its frames are those of the whole video."""
    part = ["--input", "clip.mp4", "--start", "4", "--stride", "3", "--end", "11"]
    assert track(*part, "--detections", "det.txt", "--save-tracks", file) == 0
    assert track(*part, "--detections", file, "--save-tracks", "again.jsonl") == 0
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert track("--input", "clip.mp4", "--detections", file, "--save-tracks", "whole.jsonl") == 0
    assert "not in the video" not in caplog.text
    for name in ("again", "whole"):
        (video,) = FORMATS["json-lines"].read(f"{name}.jsonl")
        found = {frame.index: frame for frame in video.frames if len(frame)}
        assert list(found) == [4, 7, 10] and found[7].time == pytest.approx(7 / 12)
        for index, frame in found.items():
            assert sorted(frame.boxes[:, :2].tolist()) == sorted(map(list, squares(index)))


def test_masks_of_a_part_are_tracked_again(world):
    results = [
        {"image_id": i, "category_id": 1, "segmentation": encode_mask(scene(i)[..., 1] > 127), "score": 0.9}
        for i in range(NUM_FRAMES)
    ]
    (world / "r.json").write_text(json.dumps(results))
    part = ["--input", "clip.mp4", "--start", "4", "--stride", "3"]
    for words in (["p.json"], ["p.mots", "--format", "mots"], ["pngs", "--format", "mots-png"]):
        assert track(*part, "--detections", "r.json", "--save-tracks", *words) == 0
        given = ["--detections", words[0], *(["--detections-format", "mots"] if "mots" in words else [])]
        assert track("--input", "clip.mp4", *given, "--save-tracks", "whole.jsonl") == 0
        (video,) = FORMATS["json-lines"].read("whole.jsonl")
        assert [frame.index for frame in video.frames if len(frame)] == [4, 7, 10]
    assert sorted(path.name for path in (world / "pngs").iterdir()) == ["000005.png", "000008.png", "000011.png"]


def test_a_part_without_detections_is_said(world, caplog):
    (world / "det.txt").write_text("2,-1,1,2,3,4,0.9\n")
    with caplog.at_level(logging.WARNING):
        words = ["--start", "4", "--stride", "3", "--detections", "det.txt", "--save-tracks", "t.csv"]
        assert track("--input", "clip.mp4", *words) == 0
    assert "none of the 1 frames with detections is in the part of the video that was read, frames 4 to" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        words = ["--max-frames", "1", "--detections", "det.txt", "--save-tracks", "t.csv"]
        assert track("--input", "clip.mp4", *words) == 0
    assert "that was read, frames 0 to 0" in caplog.text


@pytest.mark.parametrize("kind", ["coco", "csv", "cvat"])
def test_frames_have_the_numbers_in_their_names(world, kind):
    numbers = (5, 10)
    if kind == "coco":
        images = [{"id": i, "file_name": f"{i:05d}.jpg", "height": 64, "width": 96} for i in numbers]
        boxes = [{"id": i, "image_id": i, "category_id": 1, "bbox": [8, 8, 14, 14], "iscrowd": 0} for i in numbers]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
        (world / "d").write_text(json.dumps(content))
    elif kind == "csv":
        rows = [f"9f3a-frame_{i:05d}.jpg,8,8,22,22\n" for i in numbers]
        (world / "d").write_text("".join(["file_name,x0,y0,x1,y1\n", *rows]))
    else:
        box = '<box label="cat" xtl="8" ytl="8" xbr="22" ybr="22"/>'
        images = [f'<image id="{k}" name="{i}.png" width="96" height="64">{box}</image>' for k, i in enumerate(numbers)]
        (world / "d").write_text(f"<annotations>{''.join(images)}</annotations>")
    words = ["--detections", "d", "--detections-format", kind]
    assert track("--input", "clip.mp4", *words, "--save-tracks", "t.jsonl") == 0
    (video,) = FORMATS["json-lines"].read("t.jsonl")
    assert [frame.index for frame in video.frames if len(frame)] == list(numbers)


def test_each_video_of_a_list_has_its_own(world, capsys):
    (world / "dets").mkdir()
    for name in ("clip", "other"):
        (world / "dets" / f"{name}.txt").write_text((world / "det.txt").read_text())
    (world / "other.mp4").write_bytes((world / "clip.mp4").read_bytes())
    (world / "list.txt").write_text("clip.mp4\nother.mp4\n")
    assert track("--input", "list.txt", "--detections", "dets", "--save-tracks", "{name}.csv") == 0
    assert (world / "clip.csv").read_text() == (world / "other.csv").read_text()
    assert track("--input", "list.txt", "--detections", "det.txt", "--save-tracks", "{name}.csv") == 1
    assert "det.txt: holds one video, 'clip', and not 'other', too" in capsys.readouterr().err


def test_detections_that_score_too_little_are_counted(world, caplog):
    (world / "d.csv").write_text("frame,x0,y0,x1,y1,score\n0,8,8,22,22,0.9\n0,68,26,82,40,0.05\n1,68,26,82,40,0.15\n")
    with caplog.at_level(logging.WARNING):
        assert track("--input", "clip.mp4", "--detections", "d.csv", "--save-tracks", "t.csv") == 0
    assert "2 of 3 detections were not tracked: they score less than TRACKER_HEADS.MIN_SCORE" in caplog.text


def test_a_file_without_detections_is_said(world, caplog):
    (world / "det.txt").write_text("")
    with caplog.at_level(logging.WARNING):
        assert track("--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "t.json") == 0
    assert "det.txt: holds no detections" in caplog.text


def test_the_detections_are_not_overwritten(world, capsys):
    assert track("--input", "clip.mp4", "--detections", "det.txt", "--save-tracks", "det.txt") == 1
    assert "det.txt: is the input" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--task", "pose", "--detections", "det.txt"], ["--detections-format", "mot"]])
def test_flags_that_do_not_fit_are_refused(world, words):
    with pytest.raises(SystemExit) as error:
        track("--input", "clip.mp4", "--save-tracks", "t.json", *words)
    assert error.value.code == 2


def test_a_configuration_with_another_detector_is_refused(world, capsys):
    (world / "c.yaml").write_text("MODEL: {META_ARCHITECTURE: SOLO}\n")
    words = ["--config-file", "c.yaml", "--input", "clip.mp4", "--save-tracks", "t.json", "--detections", "det.txt"]
    assert track(*words) == 1
    assert "c.yaml: its detector is SOLO; --detections needs GivenDetections" in capsys.readouterr().err


def test_an_onnx_detector_needs_no_configuration(world):
    write_color_detector(world / "colors.onnx", size=96)
    words = ["--input", "clip.mp4", "--weights", "colors.onnx", "--save-tracks", "t.json"]
    assert track(*words, "MODEL.ONNX.SCORE_THRESH_TEST", "0.2", "INPUT.MIN_SIZE_TEST", "64") == 0
    (video,) = FORMATS["coco"].read("t.json")
    assert video.info.class_names == ("red", "green", "blue") and sum(map(len, video.frames)) > 10
