"""Labeled images in COCO's format: every form of mask, incomplete files, and damage that is named."""

import copy
import json
import logging
import subprocess
import sys

import pytest
import torch
from coco_squares import BOXES, content_of, rle, write_squares
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data import transforms as T

from ictrack.data.datasets.coco_images import load_coco
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.object_masks import augmented_mask
from ictrack.data.train_loader import build_train_loader
from ictrack.engine.setup import load_config
from ictrack.structures.coco_json import read_coco
from ictrack.structures.json_files import AnnotationError

NAME = "coco_images_test"


@pytest.fixture
def train(tmp_path):
    """A function from the content of a file to the objects of two batches of cropped views."""
    write_squares(tmp_path)

    def views(content, *options):
        (tmp_path / "instances.json").write_text(json.dumps(content))
        cfg = load_config(
            overrides=[
                "DATASETS.REGISTER", str([[NAME, "coco", str(tmp_path / "instances.json"), str(tmp_path)]]),
                "DATASETS.TRAIN", str((NAME,)), "MODEL.META_ARCHITECTURE", "SOLO", "SOLVER.IMS_PER_BATCH", "3",
                "DATALOADER.NUM_WORKERS", "0", "INPUT.CROP_SIZE", "(64,96)", "INPUT.SCALE_JITTER", "[1.0,1.0]",
                "INPUT.RANDOM_FLIP", "none", "DATALOADER.ASPECT_RATIO_GROUPING", "False", *options,
            ]
        )  # fmt: skip
        register_configured_datasets(cfg)
        loader = iter(build_train_loader(cfg))  # two ungrouped batches hold every image once
        views = [view for _ in range(2) for view in next(loader)]
        return [view["instances"] for view in sorted(views, key=lambda view: view["file_name"])]

    yield views
    if NAME in DatasetCatalog:
        DatasetCatalog.remove(NAME)
    MetadataCatalog.get(NAME)
    MetadataCatalog.remove(NAME)


def forget():
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def polygon(box):
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


def in_two_parts(box):
    x, y, w, h = box
    return [polygon([x, y, w / 2, h]), polygon([x + w / 2, y, w / 2, h]), [x, y, x + 1, y + 1]]


def test_polygons_and_rles_give_the_same_cropped_views(train, caplog):
    found = {}
    for form in ("rle", "polygon", "two parts"):
        content = content_of()
        for annotation in content["annotations"]:
            if form != "rle":
                box = annotation["bbox"]
                annotation["segmentation"] = [polygon(box)] if form == "polygon" else in_two_parts(box)
        found[form] = train(content)
        forget()
    assert sum(map(len, found["rle"])) == 12
    for form in ("polygon", "two parts"):
        for expected, seen in zip(found["rle"], found[form]):
            assert torch.equal(expected.gt_masks.tensor, seen.gt_masks.tensor)
            assert torch.equal(expected.gt_classes, seen.gt_classes)
    assert "12 polygons have fewer than three points, left out" in caplog.text


def test_a_polygon_that_a_crop_cuts_off_is_drawn_where_it_is_seen():
    shape = [4.0, 4, 30, 10, 22, 40, 15, 22, 6, 30]  # concave: the crop leaves two parts
    crop = T.CropTransform(5, 25, 30, 20, 64, 48)
    whole = augmented_mask([shape], T.TransformList([T.NoOpTransform()]), (48, 64))
    seen = augmented_mask([shape], T.TransformList([crop]), (20, 30))
    # pycocotools rounds coordinates on either side of zero differently.
    assert (seen != whole[25:45, 5:35]).sum() <= 1
    assert 50 < seen.sum() < whole.sum() - 50


def test_cropping_polygons_needs_no_shapely(train):
    content = content_of()
    for annotation in content["annotations"]:
        annotation["segmentation"] = [polygon(annotation["bbox"])]
    train(content)
    code = "import sys; import ictrack.data.train_loader; sys.exit('shapely' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("nothing", [[], None, "missing", [[1, 2, 3, 4]], {"size": [64, 96], "counts": [64 * 96]}])
def test_objects_without_a_mask_are_left_out_once_counted(train, nothing, caplog):
    content = content_of()
    for annotation in content["annotations"][::2]:
        annotation["segmentation"] = copy.deepcopy(nothing)
        if nothing == "missing":
            del annotation["segmentation"]
    with caplog.at_level(logging.WARNING):
        assert sum(map(len, train(content))) == 6
    assert caplog.text.count("6 of 12 objects have no mask, left out") == 1


def test_a_file_without_any_mask_is_refused_by_name(train):
    content = content_of()
    for annotation in content["annotations"]:
        del annotation["segmentation"]
    with pytest.raises(ValueError, match=r"instances\.json: no annotation has a mask"):
        train(content)


def test_a_detector_of_boxes_learns_from_boxes(train):
    content = content_of()
    for annotation in content["annotations"]:
        del annotation["segmentation"]
    options = ["MODEL.META_ARCHITECTURE", "EmbeddedDetector", "MODEL.MASK_ON", "False"]
    found = train(content, *options)
    boxes = sorted(box for instances in found for box in instances.gt_boxes.tensor.tolist())
    assert boxes == sorted([x, y, x + w, y + h] for x, y, w, h in BOXES)


def drop(key):
    return lambda d: [annotation.pop(key) for annotation in d["annotations"]]


@pytest.mark.parametrize(
    "change",
    [
        drop("iscrowd"),
        drop("area"),
        drop("bbox"),
        lambda d: d["annotations"][0].update(bbox=[], area=None, iscrowd=None),
        lambda d: d["annotations"][0].update(image_id=0.0, keypoints=[1, 2, 2]),
        lambda d: d["annotations"][0].update(keypoints=[]),
        lambda d: d["annotations"][0].update(iscrowd=False),
        lambda d: d["categories"][0].update(supercategory="shape"),
        lambda d: d.update(info=None, licenses=[]),
        lambda d: [a.update(id=i) for i, a in enumerate(d["annotations"])],
    ],
)
def test_what_may_be_missing(tmp_path, change):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content_of()))
    expected = read_coco(path)["annotations"]
    content = content_of()
    change(content)
    path.write_text(json.dumps(content))
    for annotation, other in zip(read_coco(path)["annotations"], expected):
        assert {**annotation, "id": 0, "keypoints": 0} == {**other, "id": 0, "keypoints": 0}


def test_crowds_are_left_out(train):
    content = content_of()
    content["annotations"][0]["iscrowd"] = 1
    content["annotations"][1]["ignore"] = 1
    content["annotations"][2]["iscrowd"] = True
    found = train(content, "DATALOADER.FILTER_EMPTY_ANNOTATIONS", "False")
    assert [len(instances) for instances in found] == [0, 1, 2, 2, 2, 2]


def segmentation(value):
    return lambda d: d["annotations"][0].update(segmentation=value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["annotations"][0]["segmentation"].update(size=[96, 64]),
         r"annotations\[0\]\.segmentation\.size: is \[96, 64\], the image is \[64, 96\]"),
        (lambda d: d["images"][0].update(height=65), r"annotations\[0\]\.segmentation\.size: is \[64, 96\]"),
        (segmentation({"size": [64, 96], "counts": [5, 5]}), r"annotations\[0\]\.segmentation: the runs"),
        (segmentation({"size": [64, 96], "counts": "b'abc'"}), r"annotations\[0\]\.segmentation: .*b'\.\.\.'"),
        (segmentation({"size": [64, 96]}), r"annotations\[0\]\.segmentation: counts must be"),
        (segmentation({"counts": "abc"}), r"annotations\[0\]\.segmentation\.size: is None"),
        (segmentation("mask.png"), r"annotations\[0\]\.segmentation: must be an RLE or a list of polygons"),
        (segmentation([1, 2, 3, 4, 5, 6]), r"annotations\[0\]\.segmentation\[0\]: a polygon is a list"),
        (segmentation([[1, 2, 3, 4, 5, 6, 7]]), r"annotations\[0\]\.segmentation\[0\]: a polygon"),
        (segmentation([[0, 0, 9, 0, 9, 9], [0, 0, 9, float("nan"), 9, 9]]), r"annotations\[0\]\.segmentation\[1\]"),
        (segmentation([[float("inf"), -float("inf"), 9, 9, 0, 9]]), r"annotations\[0\]\.segmentation\[0\]"),
        (segmentation([[10**400, 0, 9, 9, 0, 9.5]]), r"annotations\[0\]\.segmentation\[0\]"),
        (segmentation([["0", 0, 9, 9, 0, 9]]), r"annotations\[0\]\.segmentation\[0\]"),
        (segmentation([[[0, 0], [9, 9], [0, 9], [1, 1], [2, 2], [3, 3]]]), r"annotations\[0\]\.segmentation\[0\]"),
        (segmentation([[0, 0, 1e9, 0, 9, 9]]), r"annotations\[0\]\.segmentation\[0\]"),
        (lambda d: d["annotations"][1].update(id=1), r"annotations\[1\]\.id: 1 is used twice"),
        (lambda d: d["images"][1].update(id=0), r"images\[1\]\.id: 0 is used twice"),
        (lambda d: d["annotations"][2].update(image_id=99), r"annotations\[2\]\.image_id: 99 is not the id"),
        (lambda d: d["annotations"][2].update(image_id="0"), r"annotations\[2\]\.image_id: '0'"),
        (lambda d: d["annotations"][2].update(category_id=6), r"annotations\[2\]\.category_id: 6"),
        (lambda d: d["annotations"][2].pop("category_id"), r"annotations\[2\]\.category_id: None"),
        (lambda d: d["annotations"][2].pop("id"), r"annotations\[2\]\.id: must be an integer"),
        (lambda d: d["annotations"][0].update(iscrowd=2), r"annotations\[0\]\.iscrowd: must be 0 or 1, not 2"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, 3]), r"annotations\[0\]\.bbox: must be a list of 4"),
        (lambda d: d["annotations"][0].update(bbox=[1, 2, -3, 4]), r"annotations\[0\]\.bbox: has a negative"),
        (lambda d: d["annotations"][0].update(area="9"), r"annotations\[0\]\.area"),
        (lambda d: d["images"][0].pop("width"), r"images\[0\]\.width: must be a positive integer, not None"),
        (lambda d: d["images"][0].update(file_name=None), r"images\[0\]\.file_name"),
        (lambda d: d["images"].append(3), r"images\[6\]: must be an object"),
        (lambda d: d["categories"][0].pop("name"), r"categories\[0\]\.name"),
        (lambda d: d.pop("categories"), "categories: must be a list"),
        (lambda d: d.pop("images"), "images: must be a list"),
        (lambda d: d.update(annotations={}), "annotations: must be a list"),
    ],
)  # fmt: skip
def test_damage_is_named(tmp_path, change, message):
    content = content_of()
    change(content)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=rf"^{path}: {message}") as caught:
        load_coco(str(path), "images")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_no_json_object(tmp_path):
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(AnnotationError, match=r"a\.json: \$: must be an object with images"):
        read_coco(tmp_path / "a.json")


def test_masks_in_every_encoding_are_the_same(tmp_path):
    content = content_of()
    mask = rle(BOXES[0])
    content["annotations"][0]["segmentation"] = {"size": [64, 96], "counts": runs_of(BOXES[0])}
    (tmp_path / "a.json").write_text(json.dumps(content))
    record = load_coco(str(tmp_path / "a.json"), "images")[0]
    assert record["annotations"][0]["segmentation"] == mask
    assert record["file_name"] == "images/0.png" and record["annotations"][0]["category_id"] == 0


def runs_of(box):
    x, y, w, h = box
    runs = [x * 64 + y]
    for _ in range(w):
        runs += [h, 64 - h]
    runs[-1] = 64 * 96 - sum(runs[:-1])
    return runs
