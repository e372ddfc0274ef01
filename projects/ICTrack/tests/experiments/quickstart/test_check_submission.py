"""A submission loses nothing, also where nothing but joints that do not count is left of a person."""

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from experiments.association.poses import DetectedPoses, PoseClip
from experiments.quickstart.check_submission import check_submission
from ictrack.structures.joints import COCO_17, POSETRACK_18

EARS = [COCO_17.index("left_ear"), COCO_17.index("right_ear")]


def clip(scores):
    """Two frames with somebody in the same place; detected with ``scores`` (2, 17)."""
    points = np.stack([10 + 5.0 * np.arange(17), 20 + 3.0 * np.arange(17)], axis=1)
    names = [f"images/000001_sample_test/{t:06d}.jpg" for t in range(2)]
    images = [
        {"id": 10 + t, "file_name": name, "is_labeled": True, "vid_id": "000001", "nframes": 2}
        for t, name in enumerate(names)
    ]
    annotations = [
        {"id": t, "image_id": 10 + t, "track_id": 0, "bbox_head": [10, 10, 9, 9], "bbox": [5, 5, 90, 70],
         "keypoints": np.column_stack([points, np.ones(17)]).ravel().tolist()}
        for t in range(2)
    ]  # fmt: skip
    category = {"id": 1, "name": "person", "keypoints": list(POSETRACK_18.names)}
    frames = []
    for frame_scores in scores:
        found = Instances((100, 120), pred_boxes=Boxes(torch.tensor([[5.0, 5, 95, 75]])))
        keypoints = np.column_stack([points, frame_scores])[None]
        found.pred_keypoints = torch.tensor(keypoints, dtype=torch.float32)
        frames.append(DetectedPoses(found, {}))
    data = {"images": images, "annotations": annotations, "categories": [category]}
    return PoseClip("000001_sample_test", data, frames, 0)


@pytest.mark.parametrize("only_ears", [False, True])
def test_in_memory_and_on_disk_are_equal(tmp_path, only_ears):
    scores = np.full((2, 17), 0.9)
    if only_ears:
        scores[0] = 0.1
        scores[0, EARS] = 0.9
    row = (np.array([0]), np.array([7]))
    checked = check_submission(tmp_path, [(clip(scores), [row, row])], COCO_17, 0.5)
    assert checked["errors"] == [] and checked["num_figures"] > 0
    assert checked["largest_difference"] < 1e-9


@pytest.mark.parametrize("ids", [(7, 5), (5, 7)])
def test_equally_good_people_are_told_apart_by_the_numbers_in_the_file(tmp_path, ids):
    """The one who stands first has the smaller number there, whatever the tracker called them."""
    twins = clip(np.full((2, 17), 0.9))
    first = twins.frames[0].detections
    twins.frames[0] = DetectedPoses(Instances.cat([first, first]), {})
    both, one = (np.array([0, 1]), np.array(ids)), (np.array([0]), np.array(ids[:1]))
    checked = check_submission(tmp_path, [(twins, [both, one])], COCO_17, 0.5)
    assert checked["errors"] == [] and checked["largest_difference"] < 1e-9
