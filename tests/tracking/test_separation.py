"""Similarities of certain tracklets with what the tracker remembers of them, and the scale of both kinds."""

import math

import numpy as np
import pytest

from ictrack.tracking import build_tracker
from ictrack.tracking.separation import Clip, logistic_scale, separation

A, B = [1.0, 0.0], [0.0, 1.0]
BETWEEN = [0.6, 0.8]


@pytest.fixture
def make_clip(make_detections):
    """Clip from (embeddings, labels) of each frame."""

    def make(*frames):
        return Clip([make_detections(x) for x, _ in frames], [np.array(label) for _, label in frames])

    return make


def test_similarities_are_those_of_the_memory(make_cfg, make_clip):
    """With momentum 0.5 the first tracklet is remembered as the unit mean of its two embeddings."""
    tracker = build_tracker(make_cfg("EMBEDDING.MOMENTUM", 0.5), 0, 0)
    found = separation(tracker, [make_clip(([A, B], [0, 1]), ([BETWEEN, B], [0, 1]), ([A], [0]))], gap=1)
    mean = 0.8 / math.hypot(0.8, 0.4)
    np.testing.assert_allclose(found.same, [0.6, 1, mean], rtol=1e-6)
    np.testing.assert_allclose(found.different, [0.8, 0, 0], atol=1e-6)
    # Of the first tracklet 0 of 1 and 1 of 1, as B looks more like the other in the second frame; of the second 1 of 1.
    np.testing.assert_allclose(found.right, [0.5, 1])
    np.testing.assert_allclose(found.chance, [0.5, 0.5])


def test_every_phase_of_the_gap_is_compared(make_cfg, make_clip):
    tracker = build_tracker(make_cfg(), 0, 0)
    clip = make_clip(*[([A, B], [0, 1])] * 5)
    found = separation(tracker, [clip], gap=2)
    assert len(found.same) == 6  # frames 0, 2, 4 and 1, 3
    assert found.right.tolist() == [1, 1]


def test_uncertain_pairs_are_left_out(make_cfg, make_clip):
    """A detection without a tracklet, and tracklets that never meet."""
    tracker = build_tracker(make_cfg(), 0, 0)
    found = separation(tracker, [make_clip(([A, B], [0, -1]), ([A], [0]), ([B], [1]), ([B], [1]))], gap=1)
    np.testing.assert_allclose(found.same, [1, 1])
    assert len(found.different) == len(found.right) == 0


def test_equals_are_recognized_by_chance(make_cfg, make_clip):
    tracker = build_tracker(make_cfg(), 0, 0)
    found = separation(tracker, [make_clip(([A, A], [0, 1]), ([A, A], [0, 1]))], gap=1)
    np.testing.assert_allclose(found.right, found.chance)


def test_the_spatial_tracker_compares_positions(make_cfg, make_detections):
    def frame(*lefts):
        return make_detections(boxes=[[x, 0.0, x + 10.0, 10.0] for x in lefts])

    tracker = build_tracker(make_cfg("TRACKER_NAME", "SpatialTracker"), 0, 0)
    clip = Clip([frame(0, 40), frame(5, 40)], [np.array([0, 1])] * 2)
    found = separation(tracker, [clip], gap=1)
    np.testing.assert_allclose(found.same, [-0.5, 0])
    np.testing.assert_allclose(found.different, [-3.5, -4])


def test_nothing_to_compare(make_cfg):
    found = separation(build_tracker(make_cfg(), 0, 0), [Clip([], [])], gap=3)
    assert [len(x) for x in (found.same, found.different, found.right, found.chance)] == [0, 0, 0, 0]


def test_one_pair_of_each_kind():
    """Smoothed targets 2/3 and 1/3 at a distance of 1 are met exactly: sigmoid(scale / 2) = 2/3."""
    assert logistic_scale(np.array([1.0]), np.array([0.0])) == pytest.approx(2 * math.log(2), rel=1e-3)


def test_both_kinds_count_the_same():
    """The mirror image of the similarities has the same scale, and so have ten times as many of one kind, nearly."""
    same, different = np.array([0.5, 0.9, 0.7] * 40), np.array([0.1, 0.6, 0.3] * 40)
    scale = logistic_scale(same, different)
    assert logistic_scale(-different, -same) == pytest.approx(scale, rel=1e-3)
    assert logistic_scale(np.tile(same, 10), different) == pytest.approx(scale, rel=0.1)
    assert logistic_scale(same / 2, different / 2) == pytest.approx(2 * scale, rel=1e-3)


def test_no_scale_where_the_same_look_less_alike():
    assert logistic_scale(np.array([0.1, 0.2]), np.array([0.7, 0.9])) == 0


def test_infinite_similarities_are_left_out():
    assert logistic_scale(np.array([1.0]), np.array([0.0, -np.inf])) == pytest.approx(2 * math.log(2), rel=1e-3)
