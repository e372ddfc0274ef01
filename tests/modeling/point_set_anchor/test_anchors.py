from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ictrack.modeling.point_set_anchor.anchors import (
    DEFAULT_TEMPLATE,
    PointSetAnchorGenerator,
    clip_points,
    decode_points,
    load_pose_template,
    point_boxes,
)
from ictrack.structures.joints import COCO_17, MPII_16


def test_bundled_template_stands_upright_around_the_hips():
    template = load_pose_template(DEFAULT_TEMPLATE, COCO_17)
    hips = [COCO_17.index("left_hip"), COCO_17.index("right_hip")]
    np.testing.assert_allclose(template[hips].mean(0), 0, atol=1e-12)
    heights = [template[COCO_17.index(f"left_{name}"), 1] for name in ("eye", "shoulder", "hip", "knee", "ankle")]
    assert heights == sorted(heights)
    for left, right in COCO_17.flip_pairs:
        assert template[left, 0] > template[right, 0]  # the person faces the camera


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a pose template"),
        (json.dumps({"points": []}), "joint_set"),
        (json.dumps({"joint_set": "MPII", "points": [[0, 0]] * 16}), "joint_set is 'MPII', expected 'COCO'"),
        (json.dumps({"joint_set": "COCO", "points": [[0, 0]] * 16}), "17 pairs"),
        (json.dumps({"joint_set": "COCO", "points": [[0, "x"]] * 17}), "not a pose template"),
        ('{"joint_set": "COCO", "points": [' + ",".join(["[0, NaN]"] * 17) + "]}", "finite"),
    ],
)
def test_bad_template_is_named(tmp_path, content, message):
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"t\.json.*{message}"):
        load_pose_template(path, COCO_17)


def test_templates_are_of_a_joint_set():
    with pytest.raises(ValueError, match="expected 'MPII'"):
        load_pose_template(DEFAULT_TEMPLATE, MPII_16)


def test_anchors_by_hand():
    template = np.array([[-0.5, -1.0], [0.5, 1.0]])
    generator = PointSetAnchorGenerator(template, strides=[2, 4], point_scale=8, box_scale=4)
    anchors = generator([(1, 2), (1, 1)])
    assert anchors.origins.tolist() == [[0, 0], [2, 0], [0, 0]]
    assert anchors.strides.tolist() == [2, 2, 4]
    assert anchors.scales.tolist() == [16, 16, 32]
    # -8 + 0.5 and 8 + 0.5, rounded to even
    assert anchors.points[1].tolist() == [[-6, -16], [10, 16]]
    assert anchors.points[2].tolist() == [[-14, -30], [18, 34]]
    # sides 8 / sqrt(2) and 8 sqrt(2) around 0.5, the last pixel inside
    assert anchors.boxes[0].tolist() == [-2, -5, 3, 6]
    assert [len(x) for x in anchors.split(anchors.points)] == [2, 1]


def test_decoding_and_clipping():
    points = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    deltas = torch.tensor([[[[0.5, -1.0]], [[0.25, 0.0]]]])
    moved = decode_points(points, deltas, torch.tensor([2.0, 4.0]))
    assert moved.tolist() == [[[[2, 0]], [[4, 4]]]]
    assert clip_points(moved, torch.tensor([[3.0, 2.0]])).tolist() == [[[[2, 0]], [[3, 2]]]]
    assert point_boxes(torch.tensor([[1.0, 5.0], [3.0, 2.0]])).tolist() == [1, 2, 3, 5]
