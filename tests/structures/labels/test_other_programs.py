"""Files as other programs write them: DeepLabCut's tables, PoseTrack's people, MOTChallenge's folders."""

import json
from pathlib import Path

import numpy as np
import pytest
from mots_case import write_mots_case
from PIL import Image

from ictrack.structures.detections import read_detections
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import LABEL_FORMATS, convert_labels
from ictrack.structures.track_formats import TrackFormatError

DLC = """scorer,me,me,me,me,me,me,me,me
individuals,mouse1,mouse1,mouse1,mouse1,mouse2,mouse2,mouse2,mouse2
bodyparts,nose,nose,tail,tail,nose,nose,tail,tail
coords,x,y,x,y,x,y,x,y
labeled-data/walk/img00.png,1.5,2.25,,,10.0,11.0,12.0,13.0
labeled-data/walk/img07.png,3.1,4.2,5.3,6.4,,,,
"""


@pytest.fixture()
def deeplabcut(tmp_path):
    folder = tmp_path / "labeled-data" / "walk"
    folder.mkdir(parents=True)
    for number in ("00", "07"):
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(folder / f"img{number}.png")
    (folder / "CollectedData_me.csv").write_text(DLC)
    return folder / "CollectedData_me.csv"


def test_deeplabcut(deeplabcut, tmp_path):
    pytest.importorskip("sleap_io")
    labels = LABEL_FORMATS["deeplabcut"].read(deeplabcut)
    (video,) = labels.videos
    assert video.info.name == "walk" and labels.joint_names == ("nose", "tail")
    assert [video.facts(index).file_name for index in video.indices()] == ["img00.png", "img07.png"]
    found = [(index, row.track_id, row.keypoints.tolist()) for index, rows in video.rows.items() for row in rows]
    assert found == [
        (0, 1, [[2.0, 2.75, 1], [0, 0, 0]]),
        (0, 2, [[10.5, 11.5, 1], [12.5, 13.5, 1]]),
        (7, 1, [[3.6, 4.7, 1], [5.8, 6.9, 1]]),
    ]
    list(convert_labels(deeplabcut, "deeplabcut", tmp_path / "a.json", "coco"))
    again = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert again[2]["keypoints"] == [3.1, 4.2, 2, 5.3, 6.4, 2]
    list(convert_labels(tmp_path / "a.json", "coco", tmp_path / "b.csv", "deeplabcut", drop=["boxes"]))
    lines = (tmp_path / "b.csv").read_text().splitlines()
    name = "labeled-data/walk/img"
    assert lines[4:] == [f"{name}00.png,1.5,2.25,,,10.0,11.0,12.0,13.0", f"{name}07.png,3.1,4.2,5.3,6.4,,,,"]


@pytest.mark.parametrize(
    ("names", "indices"),
    [(["img07.png", "img00.png"], [0, 7]), (["b.png", "a.png"], [0, 1])],
)
def test_pictures_keep_their_names_and_numbers_in_sleap(names, indices, tmp_path):
    pytest.importorskip("sleap_io")
    images = [{"id": i, "file_name": f"walk/{name}", "height": 9, "width": 9} for i, name in enumerate(names)]
    joints = [{"id": 1, "name": "animal", "keypoints": ["nose"]}]
    people = [{"id": i + 1, "image_id": i, "category_id": 1, "keypoints": [i, 2, 2]} for i in range(2)]
    (tmp_path / "a.json").write_text(json.dumps({"images": images, "categories": joints, "annotations": people}))
    list(convert_labels(tmp_path / "a.json", "coco", tmp_path / "b.slp", "sleap"))
    list(convert_labels(tmp_path / "b.slp", "sleap", tmp_path / "c.json", "coco"))
    content = json.loads((tmp_path / "c.json").read_text())
    assert [(image["file_name"], image["frame_index"]) for image in content["images"]] == [
        (f"walk/{name}", index) for name, index in zip(sorted(names), indices)
    ]
    (first,) = [a for a in content["annotations"] if a["image_id"] == content["images"][0]["id"]]
    assert first["keypoints"][0] == names.index(sorted(names)[0])


def test_picture_numbers_are_kept_by_formats_without_names(tmp_path):
    pytest.importorskip("sleap_io")
    images = [{"id": i, "file_name": f"walk/{i:05d}.jpg", "height": 9, "width": 9} for i in (5, 10)]
    boxes = [{"id": i, "image_id": i, "category_id": 1, "track_id": 3, "bbox": [1, 2, 3, 4]} for i in (5, 10)]
    content = {"images": images, "categories": [{"id": 1, "name": "dog"}], "annotations": boxes}
    (tmp_path / "a.json").write_text(json.dumps(content))
    content["annotations"] = [{**box, "keypoints": [1, 2, 2]} for box in boxes]
    content["categories"][0]["keypoints"] = ["nose"]
    (tmp_path / "poses.json").write_text(json.dumps(content))
    list(convert_labels(tmp_path / "poses.json", "coco", tmp_path / "b.slp", "sleap", drop=["boxes", "classes"]))
    (video,) = LABEL_FORMATS["sleap"].read(tmp_path / "b.slp").videos
    assert sorted(video.rows) == [5, 10] and video.info.name == "walk"
    for name, target in (("tracks", "b.csv"), ("mot", "mot"), ("cvat", "b.xml")):
        list(convert_labels(tmp_path / "a.json", "coco", tmp_path / target, name))
        (video,) = LABEL_FORMATS[name].read(tmp_path / target).videos
        assert sorted(video.rows) == [5, 10]


def test_pictures_of_deeplabcut_that_are_not_there(deeplabcut):
    pytest.importorskip("sleap_io")
    (deeplabcut.parent / "img07.png").unlink()
    with pytest.raises(AnnotationError, match=r"_me\.csv: 1 of the 2 pictures that it names are not there"):
        LABEL_FORMATS["deeplabcut"].read(deeplabcut)


def test_deeplabcut_s_analysis_of_a_video_is_told(tmp_path):
    pytest.importorskip("sleap_io")
    rows = ["scorer,D,D,D", "bodyparts,nose,nose,nose", "coords,x,y,likelihood", "0,10,20,0.99", "1,11,20,0.98"]
    (tmp_path / "aDLC_resnet.csv").write_text("\n".join(rows))
    with pytest.raises(AnnotationError, match=r"resnet\.csv: is the analysis of a video, by frame numbers"):
        LABEL_FORMATS["deeplabcut"].read(tmp_path / "aDLC_resnet.csv")


@pytest.mark.parametrize("name", ["sleap", "deeplabcut"])
def test_a_missing_package_is_named(name, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrackFormatError, match=rf"{name} needs the package sleap-io: pip install sleap-io"):
        LABEL_FORMATS[name].read(tmp_path / "a")


@pytest.mark.parametrize("content", ["", "no table", "scorer,a\n1,2\n"])
def test_damaged_files_of_the_other_package(content, tmp_path):
    pytest.importorskip("sleap_io")
    for name in ("sleap", "deeplabcut"):
        (tmp_path / "a.csv").write_text(content)
        with pytest.raises(AnnotationError, match=r"a\.csv: "):
            LABEL_FORMATS[name].read(tmp_path / "a.csv")


def test_a_file_of_sleap_on_which_hdf5_would_hang(tmp_path):
    pytest.importorskip("sleap_io")
    data = bytearray(Path("tests/data/fuzz/labels-sleap/whole.slp").read_bytes())
    first = data.index(b"GCOL") + 16
    data[first : first + 16] = bytes(16)
    (tmp_path / "a.slp").write_bytes(data)
    with pytest.raises(AnnotationError, match=r"a\.slp: cannot be read: .*the HDF5 heap at byte \d+ is damaged"):
        LABEL_FORMATS["sleap"].read(tmp_path / "a.slp")


def test_a_folder_of_motchallenge(tmp_path):
    gt = tmp_path / "MOT16-02" / "gt" / "gt.txt"
    gt.parent.mkdir(parents=True)
    gt.write_text("1,7,10.5,20,30,40,1,1,0.25\n3,7,11,20,30,40,0,3,1\n")
    (tmp_path / "MOT16-02" / "seqinfo.ini").write_text(
        "[Sequence]\nname=MOT16-02\nimDir=img1\nframeRate=30\nseqLength=4\nimWidth=1920\nimHeight=1080\nimExt=.jpg\n"
    )
    list(convert_labels(tmp_path, "mot", tmp_path / "a.json", "coco"))
    content = json.loads((tmp_path / "a.json").read_text())
    assert [image["file_name"] for image in content["images"]] == [f"MOT16-02/img1/{i:06d}.jpg" for i in range(1, 5)]
    assert {image["width"] for image in content["images"]} == {1920}
    list(convert_labels(tmp_path / "a.json", "coco", tmp_path / "b", "mot"))
    assert (tmp_path / "b" / "MOT16-02" / "gt" / "gt.txt").read_text() == (
        "1,7,10.5,20,30,40,1,1,0.25\n3,7,11,20,30,40,0,3,1\n"
    )


def test_posetrack18_becomes_posetrack17_and_back(tmp_path):
    names = list(LABEL_FORMATS["posetrack"].joints.names)
    keypoints = [value for joint in range(17) for value in ([0, 0, 0] if joint in (3, 4) else [joint + 0.3, 2.7, 1])]
    person = {
        "id": 1,
        "image_id": 2,
        "category_id": 1,
        "track_id": 5,
        "keypoints": keypoints,
        "bbox_head": [1, 2, 3, 4],
    }
    regions = {"ignore_regions_x": [[1, 2, 3]], "ignore_regions_y": [[4, 5, 7]]}
    images = [
        {"id": 1, "file_name": "images/val/000342_mpii_test/000000.jpg", "is_labeled": False, "vid_id": "000342"},
        {"id": 2, "file_name": "images/val/000342_mpii_test/000001.jpg", "is_labeled": True, **regions},
    ]
    category = {"id": 1, "name": "person", "keypoints": names}
    source = tmp_path / "000342_mpii_test.json"
    source.write_text(json.dumps({"images": images, "annotations": [person], "categories": [category]}))
    list(convert_labels(source, "posetrack", tmp_path / "a" / source.name, "posetrack17"))
    entry = json.loads((tmp_path / "a" / source.name).read_text())["annolist"][1]
    assert entry["annorect"][0]["x2"] == [4] and entry["ignore_regions"] == [
        {"point": [{"x": [1.0], "y": [4.0]}, {"x": [2.0], "y": [5.0]}, {"x": [3.0], "y": [7.0]}]}
    ]
    list(convert_labels(tmp_path / "a", "posetrack17", tmp_path / "b", "posetrack"))
    content = json.loads((tmp_path / "b" / source.name).read_text())
    assert content["annotations"][0]["keypoints"] == keypoints
    assert content["annotations"][0]["bbox_head"] == [1, 2, 3, 4]
    assert [image["is_labeled"] for image in content["images"]] == [False, True]
    assert content["images"][1]["ignore_regions_x"] == regions["ignore_regions_x"]
    with pytest.raises(TrackFormatError, match=r"youtube-vis cannot hold .*1 frames that were not labeled"):
        list(convert_labels(source, "posetrack", tmp_path / "c.json", "youtube-vis"))


def test_posetrack17_that_is_damaged(tmp_path):
    for content, message in (
        ({}, "annolist: must be a list of frames"),
        ({"annolist": [{"image": []}]}, r"annolist\[0\]\.image: must have a name"),
        ({"annolist": [{"image": [{"name": "a/1.jpg"}], "annorect": [{}]}]}, r"annorect\[0\]\.track_id"),
    ):
        (tmp_path / "a.json").write_text(json.dumps(content))
        with pytest.raises(AnnotationError, match=message) as raised:
            LABEL_FORMATS["posetrack17"].read(tmp_path / "a.json")
        assert "a.json" in str(raised.value)


def test_stills_of_labelme_differ_in_size(tmp_path):
    (tmp_path / "stills").mkdir()
    sizes = {"a": (20, 30), "b": (40, 25), "c": (20, 30)}
    for name, (height, width) in sizes.items():
        triangle = {"label": "ant", "points": [[1, 1], [width - 1, 1], [1, height - 1]], "shape_type": "polygon"}
        content = {"shapes": [triangle], "imagePath": f"{name}.jpg", "imageHeight": height, "imageWidth": width}
        (tmp_path / "stills" / f"{name}.json").write_text(json.dumps(content))
    list(convert_labels(tmp_path / "stills", "labelme", tmp_path / "a.json", "coco"))
    found = json.loads((tmp_path / "a.json").read_text())
    assert [(x["file_name"], x["height"], x["width"]) for x in found["images"]] == [
        (f"stills/{name}.jpg", *size) for name, size in sizes.items()
    ]
    assert [x["segmentation"]["size"] for x in found["annotations"]] == [list(size) for size in sizes.values()]
    list(convert_labels(tmp_path / "a.json", "coco", tmp_path / "again", "labelme"))
    list(convert_labels(tmp_path / "again", "labelme", tmp_path / "b.json", "coco"))
    again = json.loads((tmp_path / "b.json").read_text())["annotations"]
    assert [x["segmentation"] for x in again] == [x["segmentation"] for x in found["annotations"]]
    with pytest.raises(AnnotationError, match=r"stills: .*one size, but [ac]\.jpg has 30 x 20 .* b\.jpg has 25 x 40"):
        read_detections(tmp_path / "stills", "labelme")


@pytest.mark.parametrize("first", [0, 1])
def test_mots_keeps_the_number_of_the_first_frame(tmp_path, first):
    """KITTI counts frames from 0, MOTSChallenge from 1, in text and in pictures; also by way of COCO's JSON."""
    write_mots_case(tmp_path, seed=0, first_frame=first, pictures=True)
    # A sequence of KITTI's whose first frame has no object.
    second = tmp_path / "gt" / "0001.txt"
    drop = ("id-numbers",)
    second.write_text("".join(line for line in second.open() if int(line.split()[0]) > first))
    for number, (source, folder) in enumerate((("mots", "gt"), ("mots-png", "png"))):
        ways = {way: tmp_path / f"{number}-{way}" for way in ("mots", "mots-png", "coco")}
        for way, target in ways.items():
            list(convert_labels(tmp_path / folder, source, target, way, drop=drop))
        for way in ("mots", "mots-png"):
            list(convert_labels(ways["coco"], "coco", tmp_path / f"{number}-coco-{way}", way, drop=drop))
        for text in (ways["mots"], tmp_path / f"{number}-coco-mots"):
            found = {path.name: path.read_text() for path in text.glob("0*.txt")}
            numbers = [int(lines.split()[0]) for _, lines in sorted(found.items())]
            assert numbers == [first, first + 1 if source == "mots" else first]
        for pictures in (ways["mots-png"], tmp_path / f"{number}-coco-mots-png"):
            for name in ("0000", "0001"):
                names = sorted(path.name for path in (pictures / name).iterdir())
                assert names == sorted(path.name for path in (tmp_path / "png" / name).iterdir())
