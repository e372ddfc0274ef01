"""Perfect detections on labeled images score 100, whatever optional keys a file leaves out."""

import gzip
import json

import numpy as np
import pytest
import torch
from coco_squares import BOXES, content_of
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Boxes, Instances

from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer

NAME = "coco_evaluation_test"


@pytest.fixture
def measure(tmp_path):
    """A function from a file's content and what detections have to the results of perfect detections."""

    def results(content, *, masks=True, poses=None, data=None):
        path = tmp_path / "instances.json"
        path.write_bytes(data or json.dumps(content).encode())
        row = [NAME, "coco" if poses is None else "coco_keypoints", str(path), str(tmp_path)]
        options = ["DATASETS.REGISTER", str([row]), "DATASETS.TEST", str((NAME,)), "OUTPUT_DIR", str(tmp_path)]
        cfg = load_config(overrides=options)
        register_configured_datasets(cfg)
        evaluator = ICTrackTrainer.build_evaluator(cfg, NAME)
        evaluator.reset()
        for image in range(6):
            evaluator.process([{"image_id": image}], [{"instances": perfect(image, masks, poses)}])
        return evaluator.evaluate()

    yield results
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def perfect(image, masks, poses):
    boxes = torch.tensor(BOXES[2 * image : 2 * image + 2], dtype=torch.float32)
    boxes[:, 2:] += boxes[:, :2]
    found = Instances((64, 96), pred_boxes=Boxes(boxes), scores=torch.tensor([0.9, 0.8]))
    found.pred_classes = torch.zeros(2, dtype=torch.int64)
    if masks:
        found.pred_masks = torch.zeros(2, 64, 96, dtype=torch.bool)
        for mask, (x0, y0, x1, y1) in zip(found.pred_masks, boxes.long().tolist()):
            mask[y0:y1, x0:x1] = True
    if poses is not None:
        found.pred_keypoints = torch.tensor(poses[2 * image : 2 * image + 2], dtype=torch.float32)
        found.pred_keypoints[..., :2] += 0.5
    return found


def each(change):
    def apply(content):
        for number, annotation in enumerate(content["annotations"]):
            change(number, annotation)

    return apply


CHANGES = {
    "as it is": each(lambda i, a: None),
    "ids from 0": each(lambda i, a: a.update(id=i)),
    "negative ids": each(lambda i, a: a.update(id=-i)),
    "no iscrowd": each(lambda i, a: a.pop("iscrowd")),
    "no area": each(lambda i, a: a.pop("area")),
    "no area, polygons": each(
        lambda i, a: (a.pop("area"), a.update(segmentation=[corners(BOXES[i])])),
    ),
    "no bbox": each(lambda i, a: a.pop("bbox")),
    "null": each(lambda i, a: a.update(area=None, iscrowd=None, bbox=None)),
}


def corners(box):
    x, y, w, h = box
    return [x, y, x + w, y, x + w, y + h, x, y + h]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_perfect_detections_score_100(measure, change):
    content = content_of()
    change(content)
    results = measure(content)
    assert results["bbox"]["AP"] == results["segm"]["AP"] == pytest.approx(100)


def test_info_may_be_there(measure):
    assert measure({**content_of(), "info": {"year": 2020}})["segm"]["AP"] == pytest.approx(100)


def test_a_gzipped_file_with_a_byte_order_mark(measure):
    data = gzip.compress(b"\xef\xbb\xbf" + json.dumps(content_of()).encode())
    assert measure(None, data=data)["segm"]["AP"] == pytest.approx(100)


def test_an_object_without_a_mask_is_neither_found_nor_missed(measure):
    content = content_of()
    for annotation in content["annotations"][::3]:
        annotation["segmentation"] = []
    assert measure(content)["segm"]["AP"] == pytest.approx(100)


def test_boxes_alone(measure, caplog):
    content = content_of()
    for annotation in content["annotations"]:
        del annotation["segmentation"]
    results = measure(content)
    assert results["bbox"]["AP"] == pytest.approx(100) and "segm" not in results
    assert "instances.json: no annotation has segmentation; segm is not scored" in caplog.text


def test_a_test_set_without_annotations(measure):
    content = content_of()
    del content["annotations"]
    assert measure(content) == {}


@pytest.mark.parametrize("dropped", [(), ("iscrowd", "num_keypoints"), ("area", "segmentation"), ("bbox",)])
@pytest.mark.parametrize("first_id", [0, 1])
def test_poses(measure, dropped, first_id):
    poses = np.zeros((len(BOXES), 17, 3))
    content = content_of()
    content["categories"] = [{"id": 1, "name": "person"}]
    for i, annotation in enumerate(content["annotations"]):
        x, y, w, h = BOXES[i]
        poses[i, :, 0] = np.linspace(x, x + w, 17).round()
        poses[i, :, 1] = np.linspace(y, y + h, 17)[::-1].round()
        poses[i, :, 2] = 2
        annotation.update(id=first_id + i, category_id=1, keypoints=poses[i].ravel().tolist(), num_keypoints=17)
        for key in dropped:
            del annotation[key]
    for key in ("keypoints", "num_keypoints"):  # of whom nobody knows the joints
        content["annotations"][5].pop(key, None)
    results = measure(content, masks=False, poses=poses.tolist())
    assert results["keypoints"]["AP"] == pytest.approx(100)
