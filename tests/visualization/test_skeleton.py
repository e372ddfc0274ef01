"""Skeletons: which limbs are drawn, in which color, and which side is which."""

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from ictrack.structures.joints import COCO_17, MPII_16, POSETRACK_15, POSETRACK_18
from ictrack.visualization.colors import track_color
from ictrack.visualization.draw_tracks import TrackDrawer
from ictrack.visualization.skeleton import draw_skeleton, side_color

COLOR = (200, 100, 40)


def pose(joints=COCO_17, **places):
    result = np.zeros((len(joints), 3))
    for name, place in places.items():
        result[joints.index(name)] = (*place, 0.9)
    return result


def canvas_of(drawn, joints=COCO_17, min_score=0.0):
    canvas = np.zeros((100, 100, 3), np.uint8)
    draw_skeleton(canvas, drawn, joints, COLOR, 3, min_score)
    return canvas


def test_a_limb_joins_its_joints_in_the_color_of_its_side():
    canvas = canvas_of(pose(left_hip=(20, 20), left_knee=(20, 80), right_hip=(80, 20), right_knee=(80, 80)))
    np.testing.assert_allclose(canvas[50, 20], side_color(COLOR, "left")[::-1], atol=2)
    np.testing.assert_allclose(canvas[50, 80], side_color(COLOR, "right")[::-1], atol=2)
    np.testing.assert_allclose(canvas[20, 50], COLOR[::-1], atol=2)  # hip to hip
    assert not canvas[50, 30:70].any() and not canvas[70:, 50].any()


def test_left_is_lighter_than_right():
    left, middle, right = (sum(side_color(COLOR, side)) for side in ("left", "", "right"))
    assert left > middle > right


@pytest.mark.parametrize("absent", [{"left_knee": 0.3}, {"left_knee": np.nan}])
def test_joints_without_enough_score_are_left_out(absent):
    drawn = pose(left_hip=(20, 20), left_knee=(20, 80))
    drawn[COCO_17.index("left_knee"), 2 if absent["left_knee"] == 0.3 else 0] = absent["left_knee"]
    canvas = canvas_of(drawn, min_score=0.3)
    assert canvas[20, 20].any() and not canvas[40:].any()


@pytest.mark.parametrize("joints", [COCO_17, POSETRACK_15, POSETRACK_18, MPII_16])
def test_no_limb_of_a_standing_person_crosses_the_middle_but_at_the_trunk(joints):
    """Left joints on one half of the picture, right ones on the other: the arms and legs stay there."""
    drawn = np.full((len(joints), 3), 0.9)
    for i, name in enumerate(joints.names):
        x = {"left": 80, "righ": 20}.get(name[:4], 50)
        y = next((y for part, y in {"hip": 50, "knee": 70, "ankle": 95, "pelvis": 50}.items() if part in name), 20)
        drawn[i, :2] = (x, y)
    canvas = canvas_of(drawn, joints)
    assert not canvas[60:, 30:70].any()
    assert canvas[80, 20].any() and canvas[80, 80].any()


def instances_of(keypoints, size=(100, 100)):
    instances = Instances(size)
    instances.pred_keypoints = torch.tensor(keypoints, dtype=torch.float32)
    points = instances.pred_keypoints[..., :2]
    instances.pred_boxes = Boxes(torch.cat([points.amin(1), points.amax(1)], dim=1))
    instances.ID = torch.arange(len(keypoints))
    return instances


def test_a_drawer_of_tracks_draws_poses_and_no_boxes():
    joints = dict.fromkeys(COCO_17.names, (50, 50))
    drawn = pose(**{**joints, "left_hip": (10, 10), "left_knee": (90, 10), "right_hip": (90, 90)})
    frame = np.zeros((100, 100, 3), np.uint8)
    canvas = TrackDrawer(trail_length=0, show_scores=False).draw(frame, instances_of(drawn[None]))
    np.testing.assert_allclose(canvas[10, 65], side_color(track_color(0), "left")[::-1], atol=2)
    assert not canvas[70:80, 8:12].any()  # where the box's left side would be
    larger = TrackDrawer(trail_length=0, show_scores=False, scale=2).draw(frame, instances_of(drawn[None]))
    np.testing.assert_allclose(larger[19, 130], side_color(track_color(0), "left")[::-1], atol=2)
    assert not frame.any()


def test_frames_without_people():
    frame = np.zeros((100, 100, 3), np.uint8)
    empty = instances_of(np.zeros((1, 17, 3)))[torch.zeros(1, dtype=torch.bool)]
    assert not TrackDrawer().draw(frame, empty).any()


def test_poses_of_other_joints_are_refused():
    with pytest.raises(ValueError, match="17 joints, not the 16 of MPII"):
        TrackDrawer(joints=MPII_16).draw(np.zeros((9, 9, 3), np.uint8), instances_of(np.ones((1, 17, 3))))
