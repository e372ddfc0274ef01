"""COCO files: what is missing is completed, what is wrong is located."""

import codecs
import gzip
import json

import pytest
from coco_scene import coco_squares, polygon, rle

from ictrack.structures.coco_json import read_coco
from ictrack.structures.json_files import AnnotationError


def save(tmp_path, data):
    path = tmp_path / "coco.json"
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("pack", [gzip.compress, lambda text: codecs.BOM_UTF8 + text])
def test_packed_and_marked_files(tmp_path, pack):
    (tmp_path / "coco.json").write_bytes(pack(json.dumps(coco_squares()).encode()))
    assert len(read_coco(tmp_path / "coco.json")["annotations"]) == 12


@pytest.mark.parametrize("mask", [polygon, rle])
def test_missing_keys_are_completed(tmp_path, mask):
    data = coco_squares(mask, first_id=0)
    for annotation in data["annotations"]:
        for key in ("iscrowd", "area", "bbox"):
            annotation.pop(key)
    first = read_coco(save(tmp_path, data))["annotations"][0]
    assert (first["id"], first["iscrowd"], first["bbox"], first["area"]) == (0, 0, [8, 10, 20, 20], 400)


@pytest.mark.parametrize("nothing", [None, [], {}, [[]], [[1, 2, 3, 4]], {"size": [64, 96], "counts": [64 * 96]}])
def test_objects_without_a_mask_have_a_box(tmp_path, nothing):
    data = coco_squares()
    data["annotations"][3]["segmentation"] = nothing
    found = read_coco(save(tmp_path, data))["annotations"]
    assert "segmentation" not in found[3] and found[3]["bbox"] == [56, 30, 20, 20] and len(found) == 12


def test_degenerate_polygons_and_annotations_of_nothing_are_counted(tmp_path, caplog):
    data = coco_squares()
    for i in (0, 1):
        data["annotations"][i]["segmentation"] = [[5, 5, 6, 6], *polygon(8, 10)]
    data["annotations"][2] = {"id": 900, "image_id": 1, "category_id": 1}
    found = read_coco(save(tmp_path, data))["annotations"]
    assert len(found) == 11 and found[0]["segmentation"] == polygon(8, 10)
    assert "2 polygons have fewer than three points" in caplog.text and "1 annotations have neither" in caplog.text


def test_ignored_regions_are_crowds_and_whole_numbers_are_ids(tmp_path):
    data = coco_squares()
    data["annotations"][0].update(ignore=1, image_id=0.0)
    first = read_coco(save(tmp_path, data))["annotations"][0]
    assert first["iscrowd"] == 1 and first["image_id"] == 0


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "segmentation",
            {**rle(8, 10), "size": [96, 64]},
            r"segmentation.size: is \[96, 64\], the image is \[64, 96\]",
        ),
        ("segmentation", {"size": [64, 96], "counts": [5, 6]}, "segmentation: the runs of counts do not add up"),
        ("segmentation", {"size": [64, 96], "counts": str(b"abc")}, "segmentation: counts is the text of Python bytes"),
        ("segmentation", {"size": [64, 96]}, "segmentation"),
        ("segmentation", [[1, 2, 3, 4, 5, 6, 7]], r"segmentation\[0\]: a polygon is"),
        ("segmentation", [[1, 2, 3, 4, 5, float("nan")]], r"segmentation\[0\]: a polygon is"),
        ("segmentation", [[1, 2, 3, 4, 5, "6"]], r"segmentation\[0\]: a polygon is"),
        ("segmentation", [1, 2, 3, 4, 5, 6], r"segmentation\[0\]: a polygon is"),
        ("segmentation", [[0, 0, 1e9, 0, 1, 1]], r"segmentation\[0\]: a polygon is"),
        ("segmentation", "mask.png", "segmentation: must be"),
        ("bbox", [1, 2, -3, 4], "bbox: has a negative"),
        ("bbox", [1, 2, 3], "bbox: must be"),
        ("area", -1, "area: must be"),
        ("iscrowd", 2, "iscrowd: must be 0 or 1"),
        ("image_id", 77, "image_id: 77 is not"),
        ("image_id", "0", "image_id: '0' is not"),
        ("category_id", 9, "category_id: 9 is not"),
        ("id", 3, "id: 3 is used twice"),
        ("keypoints", [1, 2], "keypoints: must be"),
    ],
)
def test_wrong_annotations_are_located(tmp_path, key, value, message):
    data = coco_squares()
    data["annotations"][4][key] = value
    with pytest.raises(AnnotationError, match=rf"coco\.json: annotations\[[24]\]\.{message}|coco\.json: .*{message}"):
        read_coco(save(tmp_path, data))


@pytest.mark.parametrize(("key", "value"), [("id", 2), ("width", 0), ("height", None), ("file_name", "")])
def test_wrong_images_are_located(tmp_path, key, value):
    data = coco_squares()
    data["images"][3][key] = value
    with pytest.raises(AnnotationError, match=rf"coco\.json: images\[3\]\.{key}: "):
        read_coco(save(tmp_path, data))


def test_test_sets_have_no_annotations(tmp_path):
    data = coco_squares()
    del data["annotations"]
    assert "annotations" not in read_coco(save(tmp_path, data))


def test_annotations_without_any_id_are_numbered(tmp_path):
    path = tmp_path / "detections.json"
    boxes = [[1, 2, 3, 4], [5, 6, 7, 8]]
    annotations = [{"image_id": 1, "category_id": 1, "bbox": box} for box in boxes]
    data = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 20, "width": 20}],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": annotations,
    }
    path.write_text(json.dumps(data))
    assert [x["id"] for x in read_coco(path)["annotations"]] == [1, 2]
    annotations[0]["id"] = 7
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r"annotations\[1\].id"):
        read_coco(path)
