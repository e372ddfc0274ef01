import copy
import json
import os
from pathlib import Path

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data.detection_utils import annotations_to_instances
from detectron2.structures import BoxMode
from pycocotools import mask as mask_util
from tiny_video_dataset import HEIGHT, LENGTHS, WIDTH, ground_truth, true_masks, write_dataset

from ictrack.data.datasets import load_youtube_vis_json, register_all_youtube_vis, register_youtube_vis
from ictrack.structures.categories import YTVIS_2019_CATEGORIES
from ictrack.structures.json_files import AnnotationError


@pytest.fixture
def name(request):
    name = f"tiny_{request.node.name}"
    yield name
    for catalog in (DatasetCatalog, MetadataCatalog):
        if name in catalog.list():
            catalog.remove(name)


def test_records_hold_every_frame_and_mask(tmp_path, name):
    json_file, images = write_dataset(tmp_path)
    register_youtube_vis(name, json_file, images)
    metadata = MetadataCatalog.get(name)
    assert (metadata.evaluator_type, metadata.json_file, metadata.image_root) == ("youtube_vis", json_file, images)
    records = DatasetCatalog.get(name)
    # Categories by ascending id.
    assert metadata.thing_classes == ["person", "dog"]
    assert metadata.thing_dataset_id_to_contiguous_id == {4: 0, 9: 1}

    assert [(r["video_id"], r["length"], r["video_name"]) for r in records] == [
        (video, length, f"clip{video}") for video, length in LENGTHS.items()
    ]
    for record in records:
        assert all(Path(file_name).is_file() for file_name in record["file_names"])
        assert (record["height"], record["width"]) == (HEIGHT, WIDTH)
        assert len(record["file_names"]) == len(record["annotations"]) == record["length"]
        for frame, annotations in enumerate(record["annotations"]):
            truth = true_masks(record["video_id"], frame)
            assert len(annotations) == len(truth)
            for annotation, (category, _, mask) in zip(annotations, truth):
                assert annotation["category_id"] == {4: 0, 9: 1}[category]
                np.testing.assert_array_equal(mask_util.decode(annotation["segmentation"]), mask)
                ys, xs = np.nonzero(mask)
                assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
                assert annotation["bbox_mode"] == BoxMode.XYWH_ABS
    # The same object has the same id in all frames, and another one another.
    ids = [[annotation["id"] for annotation in frame[:2]] for frame in records[0]["annotations"]]
    assert ids == [[1, 2]] * 3


def test_frames_are_what_detectron2_takes(tmp_path):
    json_file, images = write_dataset(tmp_path)
    record = load_youtube_vis_json(json_file, images)[1]
    annotations = copy.deepcopy(record["annotations"][0])
    for annotation in annotations:
        annotation.update(bbox=BoxMode.convert(annotation["bbox"], annotation["bbox_mode"], BoxMode.XYXY_ABS))
        annotation["bbox_mode"] = BoxMode.XYXY_ABS
    instances = annotations_to_instances(annotations, (HEIGHT, WIDTH), mask_format="bitmask")
    assert instances.gt_classes.tolist() == [1, 1, 0]
    assert instances.gt_masks.tensor.sum().item() == sum(int(mask.sum()) for _, _, mask in true_masks(2, 0))


def test_polygons_and_run_lists_become_rles(tmp_path):
    data = ground_truth()
    runs = data["annotations"][0]["segmentations"][1]
    mask = mask_util.decode({**runs, "counts": runs["counts"].encode()})
    flat = np.flatnonzero(np.diff(mask.ravel(order="F"), prepend=0))
    data["annotations"][0]["segmentations"][0] = [[2, 4, 14, 4, 14, 14, 2, 14]]
    data["annotations"][0]["segmentations"][1] = {
        "size": [HEIGHT, WIDTH],
        "counts": np.diff([0, *flat, mask.size]).tolist(),
    }
    (tmp_path / "gt.json").write_text(json.dumps(data))
    frames = load_youtube_vis_json(str(tmp_path / "gt.json"), "")[0]["annotations"]
    np.testing.assert_array_equal(mask_util.decode(frames[0][0]["segmentation"]), true_masks(7, 0)[0][2])
    np.testing.assert_array_equal(mask_util.decode(frames[1][0]["segmentation"]), mask)


def test_masks_without_pixels_are_left_out(tmp_path):
    data = ground_truth()
    data["annotations"][1]["segmentations"][2] = {"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH]}
    (tmp_path / "gt.json").write_text(json.dumps(data))
    frames = load_youtube_vis_json(str(tmp_path / "gt.json"), "")[0]["annotations"]
    assert [[annotation["id"] for annotation in frame] for frame in frames] == [[1, 2], [1, 2, 3], [1]]


def test_a_test_set_has_no_annotations(tmp_path):
    json_file, images = write_dataset(tmp_path, labeled=False)
    records = load_youtube_vis_json(json_file, images)
    assert len(records) == len(LENGTHS)
    assert not any("annotations" in record for record in records)


@pytest.mark.parametrize(
    ("frame", "value", "message"),
    [
        (0, {"size": [HEIGHT, WIDTH], "counts": "??"}, r"annotations\[4\].segmentations\[0\]: the runs"),
        (2, {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}, r"annotations\[4\].segmentations\[2\].size: is"),
        (3, [[0, 0, 1, 1]], r"annotations\[4\].segmentations\[3\]\[0\]: a polygon"),
        (1, "text", r"annotations\[4\].segmentations\[1\]: an RLE"),
    ],
)
def test_bad_masks_are_located(tmp_path, frame, value, message):
    data = ground_truth()
    data["annotations"][4]["segmentations"][frame] = value
    path = tmp_path / "gt.json"
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=message) as caught:
        load_youtube_vis_json(str(path), "")
    assert str(path) in str(caught.value)


def test_public_data_sets_are_registered(tmp_path):
    names = [f"{data}_{split}" for data in ("ytvis_2019", "ytvis_2021", "ovis") for split in ("train", "val", "test")]
    assert set(names) <= set(DatasetCatalog.list())
    register_all_youtube_vis(str(tmp_path))  # leaves those that exist alone
    assert MetadataCatalog.get("ytvis_2019_val").thing_classes == list(YTVIS_2019_CATEGORIES)
    root = os.path.expanduser(os.getenv("DETECTRON2_DATASETS", "datasets"))
    for name, json_file, image_root in (
        ("ytvis_2019_val", "ytvis_2019/valid.json", "ytvis_2019/valid/JPEGImages"),
        ("ytvis_2021_train", "ytvis_2021/train.json", "ytvis_2021/train/JPEGImages"),
        ("ovis_test", "ovis/annotations/test.json", "ovis/test"),
    ):
        metadata = MetadataCatalog.get(name)
        assert metadata.json_file == os.path.join(root, json_file)
        assert metadata.image_root == os.path.join(root, image_root)


def test_a_file_with_other_categories_than_registered_is_refused(tmp_path, name):
    json_file, images = write_dataset(tmp_path)
    register_youtube_vis(name, json_file, images, YTVIS_2019_CATEGORIES)
    with pytest.raises(AnnotationError, match=r"categories: the data set .* under a name of its own"):
        DatasetCatalog.get(name)
