"""A submission loses nothing, also where nothing but joints that do not count is left of a person."""

import numpy as np
import pytest
from detectron2.structures import Instances
from pose_clip import pose_clip

from experiments.association.poses import DetectedPoses
from experiments.quickstart.check_submission import check_submission
from ictrack.structures.joints import COCO_17

EARS = [COCO_17.index("left_ear"), COCO_17.index("right_ear")]


@pytest.mark.parametrize("only_ears", [False, True])
def test_in_memory_and_on_disk_are_equal(tmp_path, only_ears):
    scores = np.full((2, 17), 0.9)
    if only_ears:
        scores[0] = 0.1
        scores[0, EARS] = 0.9
    row = (np.array([0]), np.array([7]))
    checked = check_submission(tmp_path, [(pose_clip(scores), [row, row])], COCO_17, 0.5)
    assert checked["errors"] == [] and checked["num_figures"] > 0
    assert checked["largest_difference"] < 1e-9


@pytest.mark.parametrize("ids", [(7, 5), (5, 7)])
def test_equally_good_people_are_told_apart_by_the_numbers_in_the_file(tmp_path, ids):
    """The one who stands first has the smaller number there, whatever the tracker called them."""
    twins = pose_clip(np.full((2, 17), 0.9))
    first = twins.frames[0].detections
    twins.frames[0] = DetectedPoses(Instances.cat([first, first]), {})
    both, one = (np.array([0, 1]), np.array(ids)), (np.array([0]), np.array(ids[:1]))
    checked = check_submission(tmp_path, [(twins, [both, one])], COCO_17, 0.5)
    assert checked["errors"] == [] and checked["largest_difference"] < 1e-9
