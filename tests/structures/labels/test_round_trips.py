"""What a format of labels holds comes back exactly: labels -> file -> labels, and file -> labels -> file."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from label_cases import frame_names, label_sets, values_of

from ictrack.structures.joints import MPII_16, POSETRACK_15, POSETRACK_18
from ictrack.structures.labels import LABEL_FORMATS, convert_labels, fit

OBJECT, PERSON = {1: "object"}, {1: "person"}
# Format -> what labels it is tried with, and what of them must come back.
CASES = {
    "coco": ({}, ("ids", "masks", "boxes", "poses", "classes")),
    "youtube-vis": ({"masks": True, "poses": False, "boxes": False}, ("ids", "masks", "classes")),
    "mot": ({"masks": False, "poses": False}, ("ids", "boxes", "classes")),
    "mots": ({"masks": True, "poses": False, "boxes": False, "separate": True}, ("ids", "masks", "classes")),
    "mots-png": ({"masks": True, "poses": False, "boxes": False, "separate": True}, ("ids", "masks", "classes")),
    "davis": (
        {"masks": True, "poses": False, "boxes": False, "separate": True, "classes": OBJECT},
        ("ids", "masks", "classes"),
    ),
    "labelme": ({"separate": True}, ("ids", "masks", "boxes", "poses", "classes")),
    "posetrack": (
        {"masks": False, "poses": True, "joints": POSETRACK_18, "classes": PERSON},
        ("ids", "boxes", "poses", "hidden", "heads"),
    ),
    "posetrack17": (
        {"masks": False, "poses": True, "joints": POSETRACK_15, "classes": PERSON, "boxes": False},
        ("ids", "poses", "heads"),
    ),
    "mpii": (
        {"masks": False, "poses": True, "joints": MPII_16, "classes": PERSON, "boxes": False, "stills": True},
        ("poses", "hidden", "heads"),
    ),
    "sleap": ({"masks": False, "poses": True, "classes": {1: "animal"}, "boxes": False}, ("ids", "poses")),
    "cvat": ({"separate": True, "kinds": True, "boxes": False}, ("ids", "masks", "boxes", "poses", "classes")),
}
SUFFIXES = {"coco": ".json", "youtube-vis": ".json", "mpii": ".mat", "sleap": ".slp"}
# Formats whose files have names of their own for the frames, or none.
WITHOUT_NAMES = ("mot", "mots", "mots-png", "cvat", "sleap")


def target_of(folder, name):
    return folder / f"labels{SUFFIXES.get(name, '')}"


@pytest.mark.parametrize("name", CASES)
def test_labels_come_back(tmp_path_factory, name):
    made, fields = CASES[name]
    if LABEL_FORMATS[name].package:
        pytest.importorskip(LABEL_FORMATS[name].package.replace("-", "_"))

    @given(labels=label_sets(**made))
    @settings(max_examples=25, deadline=None)
    def check(labels):
        path = target_of(tmp_path_factory.mktemp("labels"), name)
        expected, names = values_of(labels, *fields), frame_names(labels)
        LABEL_FORMATS[name].write(path, labels)
        found = LABEL_FORMATS[name].read(path)
        assert found.left_out() == {}
        with_objects = {video: frames for video, frames in expected.items() if frames or name != "mot"}
        assert {video: frames for video, frames in values_of(found, *fields).items() if video in with_objects} == (
            with_objects
        )
        if name not in WITHOUT_NAMES:
            assert frame_names(found) == names

    check()


@pytest.mark.parametrize("name", [name for name in CASES if not LABEL_FORMATS[name].package])
def test_files_come_back(tmp_path_factory, name):
    """Once written, read and written again, every file has the same bytes, unless another package writes it."""
    made, _ = CASES[name]

    @given(labels=label_sets(**made))
    @settings(max_examples=10, deadline=None)
    def check(labels):
        folder = tmp_path_factory.mktemp("labels")
        first, second = target_of(folder / "a", name), target_of(folder / "b", name)
        LABEL_FORMATS[name].write(first, labels)
        again = LABEL_FORMATS[name].read(first)
        assert fit(again, LABEL_FORMATS[name], second) == []
        LABEL_FORMATS[name].write(second, again)
        assert contents(folder / "a") == contents(folder / "b")

    check()


def contents(folder):
    """Bytes of all files, but the head of MATLAB's, which has the time."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes()[128 * (path.suffix == ".mat") :] for path in files}


def test_decimals_of_a_file_come_back(tmp_path):
    """COCO's numbers of few decimals survive the shift of joints by half a pixel, and boxes by corners."""
    from ictrack.structures.json_files import read_json

    rng = np.random.default_rng(0)
    content = {
        "images": [{"id": 1, "file_name": "a/0.jpg", "height": 500, "width": 600, "frame_index": 0, "video_id": 1}],
        "categories": [{"id": 1, "name": "dog", "keypoints": ["nose", "tail"], "skeleton": []}],
        "annotations": [],
    }
    for number in range(1, 200):
        box = np.round(rng.uniform(0.01, 250, 4), 2).tolist()
        x, y = np.round(rng.uniform(0.001, 400, 2), 3).tolist()
        pose = {"keypoints": [x, y, 2.0, 0.1, 0.3, 1.0], "num_keypoints": 2, "keypoint_scores": [1.0, 1.0]}
        common = {"image_id": 1, "category_id": 1, "iscrowd": 0, "score": 1.0, "area": box[2] * box[3]}
        content["annotations"].append({"id": number, **common, "bbox": box, **pose})
    (tmp_path / "a.json").write_text(json.dumps(content))
    labels = LABEL_FORMATS["coco"].read(tmp_path / "a.json")
    LABEL_FORMATS["coco"].write(tmp_path / "b.json", labels)
    assert read_json(tmp_path / "b.json") == content


@pytest.mark.parametrize("name", ["labelme", "cvat"])
def test_polygons_that_a_person_drew(name, tmp_path):
    """Corners between pixels, of shapes that overlap or have acute angles, keep every pixel of COCO's rule."""
    rng = np.random.default_rng(1)
    annotations = []
    for number in range(1, 30):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        radii = rng.uniform(5, 28, len(angles))
        points = np.stack([40 + radii * np.cos(angles), 30 + radii * np.sin(angles)], axis=1).round(2)
        one = {"image_id": 1, "category_id": 1, "track_id": number, "segmentation": [points.ravel().tolist()]}
        annotations.append({"id": number, **one})
    content = {
        "images": [{"id": 1, "file_name": "walk/0.jpg", "height": 60, "width": 80}],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": annotations,
    }
    (tmp_path / "a.json").write_text(json.dumps(content))
    expected = LABEL_FORMATS["coco"].read(tmp_path / "a.json")
    list(convert_labels(tmp_path / "a.json", "coco", tmp_path / "out", name, drop=["empty-masks", "boxes"]))
    found = LABEL_FORMATS[name].read(tmp_path / "out")
    assert values_of(found, "ids", "masks") == values_of(expected, "ids", "masks")
