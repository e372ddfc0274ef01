"""Damaged files give defects, and nothing else, in time."""

import json
import random

import coco_squares
import pytest
import tiny_posetrack_dataset
import tiny_video_dataset
from pycocotools import mask as mask_util

from fuzzing.damage import mutate_bytes, mutate_value, time_limit
from ictrack.data.lint import lint_annotations

NUM_MUTANTS, NUM_BATCHES = 60, 6


def clean_files():
    coco = coco_squares.content_of(2)
    coco["categories"][0]["keypoints"] = ["nose", "ear", "tail"]
    coco["annotations"][2] |= {"keypoints": [5, 5, 2, 9, 9, 1, 0, 0, 0], "num_keypoints": 2}
    coco["annotations"][3] |= {"segmentation": [[1, 2, 30, 4, 5, 60]], "bbox": [1, 2, 29, 58]}
    for image in coco["images"]:
        image["video_id"] = 1
    for number, annotation in enumerate(coco["annotations"]):
        annotation |= {"track_id": number % 2, "category_id": 5 + number % 2}
    videos = tiny_video_dataset.ground_truth()
    for track in videos["annotations"]:
        track["bboxes"] = [mask and mask_util.toBbox(mask).tolist() for mask in track["segmentations"]]
    return [coco, videos, tiny_posetrack_dataset.sequence_file("000002_bonn_test")]


def test_the_files_are_clean(tmp_path):
    for content in clean_files():
        (tmp_path / "x.json").write_text(json.dumps(content))
        assert lint_annotations(tmp_path / "x.json").defects.found == []


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_mutants(batch, tmp_path):
    files = [json.dumps(content).encode() for content in clean_files()]
    path = tmp_path / "x.json"
    num_found = 0
    for seed in range(batch * NUM_MUTANTS, (batch + 1) * NUM_MUTANTS):
        rng = random.Random(seed)
        mutate = rng.choice([mutate_value, mutate_value, mutate_bytes])
        path.write_bytes(mutate(rng, rng.choice(files)))
        with time_limit():
            result = lint_annotations(path, tmp_path if seed % 3 == 0 else None)
            assert list(result.defects.lines())
        num_found += bool(result.defects.found)
    assert num_found > NUM_MUTANTS / 2


def test_names_that_no_file_can_have(tmp_path):
    content = tiny_video_dataset.ground_truth()
    content["videos"][0]["file_names"][1:] = ["a\x00b.png", "9" * 5000]
    (tmp_path / "x.json").write_text(json.dumps(content))
    kinds = {defect.kind for defect in lint_annotations(tmp_path / "x.json", tmp_path).defects.found}
    assert kinds == {"missing file", "name", "order"}
