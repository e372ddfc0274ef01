from __future__ import annotations

import math

import numpy as np
import parity_psa as parity
import pytest
import torch

from ictrack.modeling.point_set_anchor import targets as targets_module
from ictrack.modeling.point_set_anchor.targets import (
    BACKGROUND,
    IGNORED,
    OKSMatcher,
    anchor_oks,
    encode_boxes,
    stage_targets,
)
from ictrack.structures.joints import COCO_17

SIGMAS = torch.tensor(COCO_17.sigmas)
# Rows of the made-up people: all labeled, 11 labeled, far away, one joint labeled.
CASES = {"two_gts": [0, 1], "with_one_visible": [0, 1, 3], "with_far_gt": [0, 1, 2]}


@pytest.fixture(scope="module")
def units():
    return parity.arrays("units")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("positive", "negative"), [(0.5, 0.4), (0.99, 0.89)])
def test_published_assignment(units, case, positive, negative):
    keypoints = torch.from_numpy(units["assign_gt_keypoints"][CASES[case]])
    points = torch.from_numpy(units["assign_points"]).view(-1, 17, 2)
    similarity = anchor_oks(keypoints, points, SIGMAS)
    np.testing.assert_allclose(similarity.numpy(), units[f"assign_{case}_oks"], rtol=0, atol=1e-6)
    matcher = OKSMatcher(positive, negative, min_anchors=9, take_zero_oks=True)
    # The reference's values: rounding must not decide ties.
    matches = matcher(torch.from_numpy(units[f"assign_{case}_oks"]), torch.ones(len(keypoints), dtype=torch.bool))
    expected = units[f"assign_{case}_{positive}_gt_inds"]
    np.testing.assert_array_equal(torch.where(matches == IGNORED, -1, matches + 1).numpy(), expected)


def test_a_person_no_anchor_comes_near_takes_none(units):
    """By default; as published it takes all."""
    similarity = torch.from_numpy(units["assign_with_far_gt_oks"])
    labeled = torch.ones(3, dtype=torch.bool)
    published = OKSMatcher(0.5, 0.4, min_anchors=9, take_zero_oks=True)(similarity, labeled)
    assert (published == 2).all()
    ours = OKSMatcher(0.5, 0.4, min_anchors=9)(similarity, labeled)
    assert torch.equal(ours, OKSMatcher(0.5, 0.4, min_anchors=9)(similarity[:2], labeled[:2]))
    assert (ours >= 0).sum() > 9


def test_oks_by_hand():
    """One labeled joint: the person's extent is 0, so the area is half of the anchor's squared diagonal."""
    points = torch.zeros(1, 17, 2)
    points[0, 5] = torch.tensor([30.0, 40.0])
    keypoints = torch.zeros(2, 17, 3)
    keypoints[0, 9] = torch.tensor([3.0, 4.0, 1.0])
    expected = math.exp(-25 / (2 * COCO_17.sigmas[9]) ** 2 / (2500 / 2) / 2)
    torch.testing.assert_close(anchor_oks(keypoints, points, SIGMAS), torch.tensor([[expected], [0.0]]))


def test_blocks_do_not_change_oks(monkeypatch):
    torch.manual_seed(0)
    keypoints = torch.cat([torch.rand(7, 17, 2) * 300, torch.randint(0, 3, (7, 17, 1)).float()], dim=2)
    points = torch.rand(50, 17, 2) * 300
    whole = anchor_oks(keypoints, points, SIGMAS)
    monkeypatch.setattr(targets_module, "_BLOCK", 2 * 50 * 17)
    assert torch.equal(anchor_oks(keypoints, points, SIGMAS), whole)


def test_nobody_and_people_without_labeled_joints():
    matcher = OKSMatcher(0.5, 0.4, min_anchors=2)
    none = anchor_oks(torch.zeros(0, 17, 3), torch.rand(5, 17, 2), SIGMAS)
    assert matcher(none, torch.zeros(0, dtype=torch.bool)).tolist() == [BACKGROUND] * 5
    similarity = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.45, 0.6]])
    matches = matcher(similarity, torch.tensor([False, True]))
    assert matches.tolist() == [BACKGROUND, 1, 1]


def test_thresholds_include_their_lower_ends():
    similarity = torch.tensor([[0.39, 0.4, 0.49, 0.5, 0.9]])
    matches = OKSMatcher(0.5, 0.4, min_anchors=1)(similarity, torch.tensor([True]))
    assert matches.tolist() == [BACKGROUND, IGNORED, IGNORED, 0, 0]


def test_a_later_person_takes_its_best_anchors_from_an_earlier_one():
    similarity = torch.tensor([[0.9, 0.8, 0.1], [0.3, 0.2, 0.1]])
    matches = OKSMatcher(0.5, 0.4, min_anchors=2)(similarity, torch.tensor([True, True]))
    assert matches.tolist() == [1, 1, BACKGROUND]


def test_more_best_anchors_than_anchors():
    matches = OKSMatcher(0.5, 0.4, min_anchors=9)(torch.tensor([[0.1, 0.2]]), torch.tensor([True]))
    assert matches.tolist() == [0, 0]


def test_box_codec(units):
    deltas = encode_boxes(torch.from_numpy(units["box_rois"]), torch.from_numpy(units["box_gt"]))
    np.testing.assert_allclose(deltas.numpy(), units["box_deltas"], atol=1e-6)


def test_stage_targets_by_hand():
    points = torch.zeros(2, 3, 17, 2)
    boxes = torch.tensor([0.0, 0, 9, 19]).expand(2, 3, 4)
    scales = torch.tensor([128.0, 128.0, 256.0])
    keypoints = torch.zeros(1, 17, 3)
    keypoints[0, 3] = torch.tensor([64.0, -32.0, 1.0])
    keypoints[0, 4] = torch.tensor([64.0, -32.0, 0.0])
    matches = torch.tensor([[BACKGROUND, IGNORED, BACKGROUND], [BACKGROUND, 0, 0]])
    gt_boxes = [torch.zeros(0, 4), torch.tensor([[5.0, 0, 14, 19]])]
    targets = stage_targets(matches, points, boxes, scales, [torch.zeros(0, 17, 3), keypoints], gt_boxes)
    assert targets.images.tolist() == [1, 1]
    assert targets.anchors.tolist() == [1, 2]
    assert targets.people.tolist() == [0, 0]
    assert targets.normalizer == 3  # two positives in one image, none, counted as one, in the other
    assert targets.weights.tolist() == [[True, False, True], [True, True, True]]
    assert targets.labels.tolist() == [[0, 0, 0], [0, 1, 1]]
    assert targets.point_deltas[:, 3].tolist() == [[0.5, -0.25], [0.25, -0.125]]
    assert targets.point_deltas[:, 4].abs().sum() == 0
    assert targets.point_weights.sum(1).tolist() == [1, 1]
    torch.testing.assert_close(targets.box_deltas[0], torch.tensor([0.5, 0, 0, 0]))
