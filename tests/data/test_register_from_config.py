import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.data.datasets import register_configured_datasets
from ictrack.engine.setup import load_config

NAMES = ("register_a", "register_b")


@pytest.fixture(autouse=True)
def catalogue():
    yield
    for name in NAMES:
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
        if name in MetadataCatalog.list():
            MetadataCatalog.remove(name)


def register(*rows):
    register_configured_datasets(load_config(overrides=["DATASETS.REGISTER", repr(list(rows))]))


def test_a_row_of_every_format():
    for form, key in (
        ("coco", "json_file"), ("coco_keypoints", "json_file"), ("mpii", "annotation_file"),
        ("posetrack_images", "annotation_folder"), ("youtube_vis", "json_file"), ("posetrack", "annotation_folder"),
    ):  # fmt: skip
        register([NAMES[0], form, "/nowhere/annotations", "/nowhere/images"])
        metadata = MetadataCatalog.get(NAMES[0])
        assert (getattr(metadata, key), metadata.image_root) == ("/nowhere/annotations", "/nowhere/images"), form
    register([NAMES[0], "videos", "a.mp4", "b/*.mp4"])
    assert list(MetadataCatalog.get(NAMES[0]).sources) == ["a.mp4", "b/*.mp4"]


def test_a_row_may_come_again_and_may_change():
    rows = [NAMES[0], "videos", "a.mp4"], [NAMES[1], "coco", "x.json", "x"]
    register(*rows)
    register(*rows)
    register([NAMES[0], "videos", "c.mp4"])
    assert list(MetadataCatalog.get(NAMES[0]).sources) == ["c.mp4"]
    assert NAMES[1] in DatasetCatalog


GOOD = [NAMES[0], "coco", "x.json", "x"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            [NAMES[1], "jta", "b", "c"],
            r"the format of register_b is 'jta', not one of coco, coco_keypoints, mpii, ",
        ),
        ([NAMES[1], "coco", "x.json"], r'must be \[name, "coco", annotations, images\], not .*x\.json'),
        ([NAMES[1], "coco", "x.json", "x", "y"], r'must be \[name, "coco", annotations, images\], not '),
        ([NAMES[1], "videos"], r'must be \[name, "videos", path, \.\.\.\], not '),
        ([NAMES[1]], r"must be \[name, format, annotations, images\], all of them text, not \['register_b'\]"),
        ([NAMES[1], "coco", 5, "x"], r"must be .* all of them text, not "),
        (NAMES[1], r"must be \[name, format, annotations, images\], all of them text, not 'register_b'"),
        ([NAMES[0], "mpii", "x.mat", "x"], r"register_a is the name of row 0, too"),
        (
            ["coco_2017_train", "coco", "x.json", "x"],
            r"coco_2017_train is the name of another data set; choose",
        ),
    ],
)
def test_a_wrong_row_is_named(row, message):
    with pytest.raises(ValueError, match=rf"^DATASETS\.REGISTER\[1\]: {message}"):
        register(GOOD, row)
