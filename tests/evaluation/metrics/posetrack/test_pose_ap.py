import numpy as np
import pytest
from pose_scene import gt_sequence, person, pred_sequence, random_frames

from ictrack.evaluation.metrics.posetrack.pairs import pair_people
from ictrack.evaluation.metrics.posetrack.pose_ap import PredJoints, joint_curves, pred_joints, right_joints
from ictrack.structures.joints import POSETRACK_15


def right_of(gt, pred):
    """(P, 15) for one frame."""
    return right_joints(pair_people(gt_sequence([gt]), pred_sequence([pred])))


def curve_of(scores, is_right, num_gt, *, join_ties=False):
    """One sequence with predictions of a single joint."""
    column = np.array(is_right, dtype=bool)[:, None]
    joints = PredJoints(column, np.ones_like(column), np.array(scores, dtype=float)[:, None], np.array([num_gt]))
    return joint_curves([joints], join_ties=join_ties)[0]


ONCE = np.ones(1, dtype=int)


def test_only_the_best_prediction_of_a_person_is_right():
    # The second has one joint less in place; the third is as good as the first but comes later.
    off = {"nose": (0.0, 0.0)}
    is_right = right_of([person(0, 100.0)], [person(1, 101.0, joints=off), person(2, 103.0), person(3, 100.0)])
    np.testing.assert_array_equal(is_right.sum(axis=1), [0, 15, 0])


def test_there_is_no_second_choice():
    # Both predictions find the first person best; the second person, whom both reach, stays without.
    gt = [person(0, 100.0), person(1, 110.0, joints={"nose": (500.0, 500.0)})]
    is_right = right_of(gt, [person(5, 104.0), person(6, 105.0)])
    np.testing.assert_array_equal(is_right.sum(axis=1), [15, 0])


def test_the_first_person_is_taken_among_equals():
    is_right = right_of([person(0, 100.0), person(1, 100.0)], [person(5, 100.0), person(6, 100.0)])
    np.testing.assert_array_equal(is_right.sum(axis=1), [15, 0])


def test_the_share_is_of_the_annotated_joints():
    # All 2 joints of the first are found, 14 of 15 of the second.
    few = person(0, 100.0, absent=POSETRACK_15.names[2:])
    many = person(1, 100.0, joints={"nose": (900.0, 900.0)})
    is_right = right_of([many, few], [person(5, 100.0)])
    np.testing.assert_array_equal(np.flatnonzero(is_right[0]), [0, 1])


def test_a_joint_that_is_not_annotated_is_wrong():
    is_right = right_of([person(0, 100.0, absent=["nose"])], [person(5, 100.0)])
    assert [POSETRACK_15.names[j] for j in np.flatnonzero(~is_right[0])] == ["nose"]


def test_average_precision_by_hand():
    # Precision at the right ones: 1, 2/3, 3/5; four to be found.
    ap, precision, recall = curve_of([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 0, 1, 0, 1, 0], 4).average_precision(ONCE)
    assert ap == pytest.approx((1 + 2 / 3 + 3 / 5) / 4)
    assert (precision, recall) == (0.5, 0.75)


def test_the_envelope_looks_to_the_right():
    assert curve_of([0.9, 0.8, 0.7], [0, 1, 1], 2).average_precision(ONCE)[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("num_gt", [0, 2])
def test_nothing_predicted_or_annotated(num_gt):
    curve = curve_of(np.zeros(0), np.zeros(0), num_gt)
    expected = (np.nan,) * 3 if num_gt == 0 else (0.0, np.nan, 0.0)
    np.testing.assert_array_equal(curve.average_precision(ONCE), expected)
    np.testing.assert_array_equal(curve_of([0.5], [0], 0).average_precision(ONCE), (np.nan, 0, np.nan))


def test_equal_scores():
    # Read in this order the right one is first or last; joined, both orders are the same.
    assert curve_of([0.5, 0.5], [1, 0], 1).average_precision(ONCE)[0] == 0.5
    assert curve_of([0.5, 0.5], [0, 1], 1).average_precision(ONCE)[0] == 1.0
    for is_right in ([1, 0], [0, 1]):
        assert curve_of([0.5, 0.5], is_right, 1, join_ties=True).average_precision(ONCE)[0] == 0.5
    scores, is_right = [0.9, 0.5, 0.5, 0.5, 0.1], [1, 1, 0, 1, 1]
    assert curve_of(scores, is_right, 4, join_ties=True).average_precision(ONCE)[0] == pytest.approx(
        (1 + 0.8 + 0.8 + 0.8) / 4
    )


def plain_average_precision(entries, num_gt):
    """Area under the envelope, point by point; entries are (score, right) in the order they are read."""
    order = sorted(range(len(entries)), key=lambda i: (entries[i][0], i))[::-1]
    recalls, precisions, right = [0.0], [0.0], 0
    for rank, i in enumerate(order, start=1):
        right += entries[i][1]
        recalls.append(right / num_gt)
        precisions.append(right / rank)
    return sum((recalls[i] - recalls[i - 1]) * max(precisions[i:]) for i in range(1, len(recalls)))


def plain_right(pairs, t):
    """{predicted person: annotated person} of a frame."""
    mine = [k for k in range(len(pairs.frame)) if pairs.frame[k] == t]
    share = {(pairs.pred_index[k], pairs.gt_index[k]): pairs.share_matched[k] for k in mine}
    best_gt = {}
    for p in sorted({p for p, _ in share}):
        best_gt[p] = max(sorted(g for q, g in share if q == p), key=lambda g, p=p: share[p, g])
    chosen = {}
    for p, g in best_gt.items():
        if share[p, g] > 0 and (g not in chosen or share[p, g] > share[chosen[g], g]):
            chosen[g] = p
    return {p: g for g, p in chosen.items()}


@pytest.mark.parametrize("seed", range(3))
def test_random_scenes_against_plain_loops(seed):
    gt, pred = random_frames(np.random.default_rng(seed))
    pairs = pair_people(gt_sequence(gt), pred_sequence(pred))
    right = {}
    for t in range(len(gt)):
        right.update(plain_right(pairs, t))
    is_right = right_joints(pairs)
    for p in range(pairs.pred.num_people):
        expected = np.zeros(15, dtype=bool)
        for k in np.flatnonzero((pairs.pred_index == p) & (pairs.gt_index == right.get(p, -1))):
            expected = pairs.distance[k] <= 0.5
        np.testing.assert_array_equal(is_right[p], expected)
    curves = joint_curves([pred_joints(pairs, is_right, np.ones(len(gt), dtype=bool))], join_ties=False)
    for joint, curve in enumerate(curves):
        people = np.flatnonzero(pairs.pred_present[:, joint])
        entries = [(pairs.pred.scores[p, joint], bool(is_right[p, joint])) for p in people]
        expected = plain_average_precision(entries, pairs.gt_present[:, joint].sum())
        assert curve.average_precision(ONCE)[0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("join_ties", [False, True])
def test_weights_are_copies_of_a_sequence(join_ties):
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(3):
        size = (40, 15)
        is_right = rng.random(size) < 0.5
        scores = rng.random(size) if not join_ties else np.round(rng.random(size), 1)
        sequences.append(PredJoints(is_right, rng.random(size) < 0.9, scores, np.full(15, 45)))
    curves = joint_curves(sequences, join_ties=join_ties)
    copies = joint_curves([sequences[0]] * 2 + [sequences[2]] * 3, join_ties=join_ties)
    for curve, copy in zip(curves, copies):
        np.testing.assert_allclose(
            curve.average_precision(np.array([2, 0, 3])), copy.average_precision(np.ones(5, dtype=int)), atol=1e-12
        )
