from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pose_scene import gt_sequence, person, pred_sequence

from ictrack.evaluation.metrics.posetrack.pairs import pair_people, strictly_inside
from ictrack.structures.joints import POSETRACK_15

SQUARE = np.array([(0, 0), (10, 0), (10, 10), (0, 10)], dtype=float)


def inside(points, polygon):
    return strictly_inside(np.array(points, dtype=float), np.array(polygon, dtype=float)).tolist()


def test_edges_and_corners_are_outside():
    assert inside([(5, 5), (0, 5), (5, 10), (10, 10), (0, 0), (11, 5), (-1, 5), (9.999, 0.001)], SQUARE) == [
        True, False, False, False, False, False, False, True,
    ]  # fmt: skip


def test_direction_and_a_repeated_first_point_make_no_difference():
    points = [(5, 5), (0, 5), (12, 3), (10, 0)]
    expected = inside(points, SQUARE)
    assert inside(points, SQUARE[::-1]) == expected
    assert inside(points, [*SQUARE, SQUARE[0]]) == expected


def test_even_odd_rule_of_a_self_intersection():
    # A pentagram: its middle is wound around twice.
    star = [(np.sin(k * 4 * np.pi / 5), -np.cos(k * 4 * np.pi / 5)) for k in range(5)]
    assert inside([(0, 0), (0, -0.7)], star) == [False, True]
    bow_tie = [(0, 0), (10, 10), (10, 0), (0, 10)]
    assert inside([(5, 5), (2, 5), (5, 2), (8, 5)], bow_tie) == [False, True, False, True]


def test_concave():
    shape = [(0, 0), (10, 0), (10, 10), (5, 2), (0, 10)]
    assert inside([(5, 1), (5, 5), (5, 2), (1, 5), (9, 5)], shape) == [True, False, False, True, True]


def test_nothing():
    assert inside(np.zeros((0, 2)), SQUARE) == []
    assert inside([(0, 0)], np.zeros((0, 2))) == [False]


def exactly_inside(x, y, polygon):
    """The same in exact arithmetic, one edge at a time."""
    x, y = Fraction(x), Fraction(y)
    odd = False
    for (ax, ay), (bx, by) in zip(polygon, polygon[1:] + polygon[:1]):
        ax, ay, bx, by = map(Fraction, (ax, ay, bx, by))
        cross = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
        if cross == 0 and min(ax, bx) <= x <= max(ax, bx) and min(ay, by) <= y <= max(ay, by):
            return False
        if (ay > y) != (by > y) and x < ax + (y - ay) * (bx - ax) / (by - ay):
            odd = not odd
    return odd


# Sums of tenths: points that are almost on an edge, but for their rounding.
TENTHS = st.integers(0, 30).map(lambda n: n * 0.1)


@given(st.lists(st.tuples(TENTHS, TENTHS), min_size=3, max_size=7), st.lists(st.tuples(TENTHS, TENTHS), min_size=1))
def test_no_rounding_errors(polygon, points):
    assert inside(points, polygon) == [exactly_inside(x, y, polygon) for x, y in points]


def test_distances_are_in_head_sizes_and_half_of_one_is_a_match():
    gt = gt_sequence([[person(0, 100.0)]])
    pairs = pair_people(gt, pred_sequence([[person(0, 115.0), person(1, 115.001), person(2, 109.0, 112.0)]]))
    np.testing.assert_allclose(pairs.distance[:, 0], [0.5, 15.001 / 30, 0.5])
    np.testing.assert_array_equal(pairs.is_match[:, 0], [True, False, True])


@pytest.mark.parametrize("head", [(0, 0), (-30, -40)])
def test_a_head_without_size_matches_nothing(head):
    gt = gt_sequence([[person(0, 100.0, head=head)]])
    pairs = pair_people(gt, pred_sequence([[person(0, 100.0)]]))
    assert pairs.is_match.all() == (head != (0, 0)) == pairs.is_match.any()


def test_pairs_are_of_the_same_frame_and_in_order():
    gt = gt_sequence([[person(0, 1.0), person(1, 2.0)], [], [person(0, 3.0)]])
    pred = pred_sequence([[person(5, 1.0), person(6, 2.0)], [person(5, 9.0)], [person(7, 3.0)]])
    pairs = pair_people(gt, pred)
    np.testing.assert_array_equal(pairs.frame, [0, 0, 0, 0, 2])
    np.testing.assert_array_equal(pairs.gt_index, [0, 0, 1, 1, 2])
    np.testing.assert_array_equal(pairs.pred_index, [0, 1, 0, 1, 3])


def test_a_missing_joint_has_no_distance():
    gt = gt_sequence([[person(0, 100.0, absent=["nose"])]])
    pairs = pair_people(gt, pred_sequence([[person(0, 100.0, absent=["left_knee"])]]))
    missing = [POSETRACK_15.names[j] for j in np.flatnonzero(~np.isfinite(pairs.distance[0]))]
    assert missing == ["left_knee", "nose"]
    np.testing.assert_allclose(pairs.share_matched, [13 / 14])


def test_ignore_regions_take_joints_of_both_sides_and_people_left_without():
    around_second = [(350.0, 0.0), (500.0, 0.0), (500.0, 500.0), (350.0, 500.0)]
    # The first joint is at (100, 100), the second at (110, 112).
    around_joint = [(105.0, 105.0), (115.0, 105.0), (115.0, 120.0), (105.0, 120.0)]
    people = [person(0, 100.0), person(1, 400.0)]
    gt = gt_sequence([people, people], regions={0: [around_second, around_joint]})
    pairs = pair_people(gt, pred_sequence([people, people]))
    np.testing.assert_array_equal(pairs.gt_present.sum(axis=1), [14, 0, 15, 15])
    assert not pairs.gt_present[0, 1]
    np.testing.assert_array_equal(pairs.pred_present, pairs.gt_present)
    np.testing.assert_array_equal(pairs.gt_count, [1, 2])
    np.testing.assert_array_equal(pairs.pred_count, [1, 2])


def test_people_without_joints_count_where_there_are_no_regions():
    nobody = person(0, 100.0, absent=POSETRACK_15.names)
    far = [(900.0, 0.0), (950.0, 0.0), (950.0, 50.0)]
    gt = gt_sequence([[nobody], [nobody]], regions={1: [far]})
    np.testing.assert_array_equal(pair_people(gt, pred_sequence([[], []])).gt_count, [1, 0])
