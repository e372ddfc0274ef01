"""Association by hand-computed values."""

import itertools
import math

import lap
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from scipy.optimize import linear_sum_assignment

from ictrack.tracking import assignment, association
from ictrack.tracking.assignment import assign_in_score_order, assign_optimally, contested_rows
from ictrack.tracking.association import (
    bidirectional_softmax,
    cosine_similarity,
    distance_and_cosine_similarity,
    distance_similarity,
    post_process,
    unit_rows,
)
from ictrack.tracking.overlap import box_iou, mask_iou, point_distance


def array(values):
    return np.array(values, dtype=np.float32)


def one_new_object(scale):
    """Cosines of 5 tracks and 6 detections: 0.8 for the true pairs, 0.3 elsewhere; the last detection is new."""
    return scale * array(np.full((6, 5), 0.3) + 0.5 * np.eye(6, 5))


def test_cosines_of_unit_rows():
    rows = unit_rows(array([[3, 4], [0, 0], [0, 2]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, 0], [0, 1]], rtol=1e-6)
    cosines = cosine_similarity(rows, unit_rows(array([[1, 0], [5, 5]])))
    np.testing.assert_allclose(cosines, [[0.6, 0.989949], [0, 0], [0, 0.707107]], rtol=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [(1, [0.81, 0.69]), (5, [0.962, 0.538]), (10, [0.997, 0.503])])
def test_literal_softmax_glues_every_detection_to_a_single_track(scale, expected):
    similarity = bidirectional_softmax(scale * array([[0.8], [0.3]]))
    np.testing.assert_allclose(similarity[:, 0], expected, atol=5e-3 if scale == 1 else 5e-4)


@pytest.mark.parametrize("cosine", [-1.0, 0.3, 1.0])
def test_literal_softmax_of_one_pair_is_one(cosine):
    assert bidirectional_softmax(array([[10 * cosine]])) == 1


@pytest.mark.parametrize(
    ("scale", "true", "new"), [(1, 0.27, 0.175), (5, 0.73, 0.129), (10, 0.97, 0.103), (20, 1.0, 0.1)]
)
def test_literal_softmax_needs_a_scale(scale, true, new):
    similarity = bidirectional_softmax(one_new_object(scale))
    np.testing.assert_allclose(similarity[0, 0], true, atol=5e-3)
    np.testing.assert_allclose(similarity[5].max(), new, atol=5e-4)


@pytest.mark.parametrize(("cosine", "expected"), [(0.3, 0.119), (0.5, 0.5), (0.8, 0.953)])
def test_dummy_makes_one_pair_a_sigmoid(cosine, expected):
    similarity = bidirectional_softmax(array([[10 * cosine]]), dummy_logit=5.0)
    np.testing.assert_allclose(similarity, [[expected]], atol=5e-4)
    np.testing.assert_allclose(similarity, [[1 / (1 + math.exp(5 - 10 * cosine))]], rtol=1e-5)


def test_dummy_tells_the_impostor_and_the_new_object():
    np.testing.assert_allclose(bidirectional_softmax(array([[8], [3]]), 5.0), [[0.950], [0.063]], atol=5e-4)
    similarity = bidirectional_softmax(one_new_object(10), 5.0)
    np.testing.assert_allclose([similarity[0, 0], similarity[5].max()], [0.926, 0.043], atol=5e-4)


def test_softmax_does_not_overflow():
    for dummy in (None, 500.0):
        similarity = bidirectional_softmax(array([[1000, -1000], [-1000, -1000]]), dummy)
        assert np.isfinite(similarity).all()
        assert similarity[0, 0] == 1


# One detection of confidence 0.5 and two tracks, the second of another category.
EQ1 = {
    "similarity": array([[0.4, 0.45]]),
    "confidence": array([0.5]),
    "iou": array([[0.2, 0.0]]),
    "same_category": np.array([[True, False]]),
    "threshold": 0.5,
}


def test_equation_1_linear():
    scores, new_scores = post_process(**EQ1, alpha=1.0, beta=0.5, gamma=10.0)
    np.testing.assert_allclose(scores, [[0.4 + 0.5 + 0.1 + 10, 0.45 + 0.5]], rtol=1e-6)
    np.testing.assert_allclose(new_scores, [0.5 + 0.5 + 10], rtol=1e-6)


def test_equation_1_log():
    scores, new_scores = post_process(**EQ1, alpha=1.0, beta=2.0, gamma=10.0, form="log")
    expected = [math.log(0.4) + math.log(0.5) + 2 * 0.2 + 10, math.log(0.45) + math.log(0.5)]
    np.testing.assert_allclose(scores, [expected], rtol=1e-6)
    np.testing.assert_allclose(new_scores, [math.log(0.5) + math.log(0.5) + 10], rtol=1e-6)


@pytest.mark.parametrize("shape", [(100, 100), (120, 100), (100, 119), (3, 4), (99, 99), (100, 121), (100, 1000)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_solvers_find_the_same_total(shape, dtype, monkeypatch):
    """``lap`` is asked for large, nearly square matrices alone, and not needed."""
    gain = np.maximum(np.random.default_rng(0).random(shape) - 0.3, 0).round(2).astype(dtype)  # with many ties
    asked = []
    rows, columns = linear_sum_assignment(gain, maximize=True)
    best = gain[rows, columns].sum(dtype=np.float64)

    class Recorder:
        @staticmethod
        def lapjv(cost, **options):
            asked.append(cost.shape)
            return lap.lapjv(cost, **options)

    for solver in (None, Recorder):
        monkeypatch.setattr(assignment, "lap", solver)
        got = assignment.largest_total(gain)
        assert len(got[0]) == min(shape) == len(set(got[0])) == len(set(got[1]))
        assert gain[got].sum(dtype=np.float64) == pytest.approx(best, abs=1e-4)
    assert asked == ([shape] if min(shape) >= 100 and max(shape) <= 1.2 * min(shape) else [])


def test_equation_1_against_a_fixed_threshold():
    """The confidence decides: 0.4 + 0.6 * 0.5 + 0.5 * 0.2 + 0.1 = 0.9 and 0.45 + 0.3 = 0.75, against 0.8."""
    arguments = {**EQ1, "threshold": 0.8}
    scores, new_scores = post_process(**arguments, alpha=0.6, beta=0.5, gamma=0.1, form="fixed")
    np.testing.assert_allclose(scores, [[0.9, 0.75]], rtol=1e-6)
    np.testing.assert_allclose(new_scores, [0.8], rtol=1e-6)
    assert assign_in_score_order(scores, new_scores).tolist() == [0]
    assert assign_optimally(scores, new_scores).tolist() == [0]
    arguments["confidence"] = array([0.3])  # 0.4 + 0.18 + 0.1 + 0.1 = 0.78
    scores, new_scores = post_process(**arguments, alpha=0.6, beta=0.5, gamma=0.1, form="fixed")
    np.testing.assert_allclose(scores, [[0.78, 0.63]], rtol=1e-6)
    assert assign_in_score_order(scores, new_scores).tolist() == [-1]
    linear = post_process(**arguments, alpha=0.6, beta=0.5, gamma=0.1)
    np.testing.assert_array_equal(scores, linear[0])


@pytest.mark.parametrize("form", ["linear", "log"])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 7.0])
def test_equation_1_accepts_whatever_the_confidence(form, alpha):
    """Accepted iff sim + beta IoU + gamma (delta - 1) >= tau, logarithms accordingly; alpha and c cancel."""
    rng = np.random.default_rng(1)
    similarity, iou = rng.random((2, 40, 30), dtype=np.float32)
    same, confidence = rng.random((40, 30)) < 0.7, rng.random(40, dtype=np.float32)
    scores, new_scores = post_process(
        similarity, confidence, iou, same, threshold=0.6, alpha=alpha, beta=0.3, gamma=0.2, form=form
    )
    log = np.log if form == "log" else np.asarray
    gain = log(similarity.astype(float)) + 0.3 * iou + 0.2 * (same - 1.0) - log(0.6)
    clear = np.abs(gain) > 1e-5
    np.testing.assert_array_equal((scores >= new_scores[:, None])[clear], (gain >= 0)[clear])
    assert (gain >= 0).any() and (gain < 0).any()


def test_equation_1_stays_finite_and_knows_its_forms():
    arguments = {**EQ1, "similarity": array([[0, 0]]), "confidence": array([0])}
    scores, new_scores = post_process(**arguments, alpha=1.0, beta=2.0, gamma=10.0, form="log")
    assert np.isfinite(scores).all() and (scores < new_scores[:, None]).all()
    with pytest.raises(ValueError, match="'sum'"):
        post_process(**EQ1, alpha=1.0, beta=2.0, gamma=10.0, form="sum")


def test_conflict_goes_to_the_best_and_the_loser_takes_its_next_best():
    scores, tau = array([[0.8, 0.6, 0.0], [0.9, 0.7, 0.0], [0.2, 0.1, 0.3]]), array([0.5, 0.5, 0.5])
    assigned = assign_in_score_order(scores, tau)
    assert assigned.tolist() == [1, 0, -1]
    assert contested_rows(scores, tau, assigned).tolist() == [False, False, False]


def test_loser_without_another_track_is_contested():
    scores, tau = array([[0.8, 0.4], [0.9, 0.7]]), array([0.5, 0.5])
    assigned = assign_in_score_order(scores, tau)
    assert assigned.tolist() == [-1, 0]
    assert contested_rows(scores, tau, assigned).tolist() == [True, False]


def test_a_loser_may_displace_another_detection():
    """0 loses track 0 to 1, then takes track 1 from 2, which goes on to track 2."""
    scores = array([[0.9, 0.8, 0.0], [0.95, 0.0, 0.0], [0.0, 0.7, 0.6]])
    assert assign_in_score_order(scores, array([0.5] * 3)).tolist() == [1, 0, 2]


def test_thresholds_are_by_row_and_included_and_ties_go_to_the_first():
    assert assign_in_score_order(array([[0.5, 0.9], [0.5, 0.9]]), array([0.5, 0.95])).tolist() == [1, -1]
    assert assign_in_score_order(array([[0.5, 0.5], [0.5, 0.5]]), array([0.5, 0.5])).tolist() == [0, 1]


matrices = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))


@given(matrices)
def test_score_order_is_stable(shape):
    """No acceptable pair exists whose two sides would both rather have each other."""
    rows, columns, seed = shape
    scores = np.random.default_rng(seed).random((rows, columns))
    assigned = assign_in_score_order(scores, np.full(rows, 0.4))
    got = [scores[n, m] if m >= 0 else 0.4 for n, m in enumerate(assigned)]
    held = {m: scores[n, m] for n, m in enumerate(assigned) if m >= 0}
    assert len(held) == (assigned >= 0).sum()
    for n, m in itertools.product(range(rows), range(columns)):
        assert not (scores[n, m] > got[n] and scores[n, m] > held.get(m, 0))


@given(matrices)
def test_hungarian_gains_the_most(shape):
    """Against every assignment of rows to columns or to nothing."""
    rows, columns, seed = shape
    gain = np.random.default_rng(seed).random((rows, columns)) - 0.5
    assigned = assign_optimally(gain + 0.25, np.full(rows, 0.25))
    used = assigned[assigned >= 0]
    assert len(set(used)) == len(used)
    assert all(gain[n, m] >= 0 for n, m in enumerate(assigned) if m >= 0)
    total = sum(gain[n, m] for n, m in enumerate(assigned) if m >= 0)
    best = 0.0
    for choice in itertools.product(range(-1, columns), repeat=rows):
        pairs = [(n, m) for n, m in enumerate(choice) if m >= 0]
        if len(pairs) == len({m for _, m in pairs}):
            best = max(best, sum(gain[pair] for pair in pairs))
    assert total == pytest.approx(best)


def test_hungarian_differs_from_score_order():
    scores, tau = array([[0.9, 0.8], [0.8, 0.1]]), array([0.2, 0.2])
    assert assign_in_score_order(scores, tau).tolist() == [0, -1]
    assert assign_optimally(scores, tau).tolist() == [1, 0]


def test_box_iou():
    boxes = array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 5]])
    np.testing.assert_allclose(box_iou(boxes, boxes[:2]), [[1, 1 / 7], [1 / 7, 1], [0, 0]], rtol=1e-6)
    assert box_iou(boxes[2:], boxes[2:]) == 0


def test_mask_iou():
    masks = np.zeros((3, 6, 8), dtype=np.uint8)
    masks[0, :2, :2], masks[1, 1:3, 1:3], masks[2, 5, 7] = 1, 1, 1
    rles = [coco_mask.encode(np.asfortranarray(mask)) for mask in masks]
    np.testing.assert_allclose(mask_iou(rles, rles[:2]), [[1, 1 / 7], [1 / 7, 1], [0, 0]])
    other_size = coco_mask.encode(np.asfortranarray(np.ones((3, 3), dtype=np.uint8)))
    assert mask_iou(rles[:1], [other_size]) == 0


def test_point_distance_takes_common_points():
    detections = array([[[0, 0], [10, 0]], [[0, 0], [10, 0]]])
    tracks = array([[[3, 4], [10, 1]]])
    valid = np.array([[True, True], [True, False]])
    np.testing.assert_allclose(point_distance(detections, valid, tracks, valid[:1]), [[3.0], [5.0]])
    np.testing.assert_array_equal(point_distance(detections, valid, tracks, ~valid[:1]), [[np.inf], [np.inf]])


def test_tags_and_vectors_by_hand():
    """Tags 1 and 3, vectors at a right angle: (0 - 2) / 2. The same vector, tags 1 and 1.5: (1 - 0.5) / 2."""
    detections, tracks = np.array([[1.0, 1, 0]]), np.array([[3.0, 0, 1], [1.5, 1, 0]])
    np.testing.assert_allclose(distance_and_cosine_similarity(detections, tracks), [[-1.0, 0.25]])


def test_tags_and_vectors_of_parts_by_hand():
    """The second part is absent from the track: only the first counts. A tag of 0 is a tag."""
    detections = np.array([[[0.0, 1, 0], [5.0, 0, 1]]])
    tracks = np.array([[[0.5, 0.6, 0.8], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]])
    found = distance_and_cosine_similarity(detections, tracks)
    np.testing.assert_allclose(found[0, 0], (0.6 - 0.5) / 2)
    assert np.isfinite(found).all() and found[0, 1] < -1e18


@pytest.mark.parametrize("compare", [cosine_similarity, distance_similarity, distance_and_cosine_similarity])
@pytest.mark.parametrize("parts", [(), (3,)])
def test_similarities_without_a_row(compare, parts):
    some, none = np.ones((2, *parts, 4), np.float32), np.zeros((0, *parts, 4), np.float32)
    assert compare(some, none).shape == (2, 0)
    assert compare(none, some).shape == (0, 2)
    assert compare(none, none).shape == (0, 0)


@pytest.mark.parametrize("dummy", [None, 3.0])
@pytest.mark.parametrize("counted", [False, True])
def test_one_exponential_gives_both_softmaxes(monkeypatch, dummy, counted):
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=5, size=(6, 9)).astype(np.float32)
    counts = (rng.integers(1, 4, 6), rng.integers(1, 4, 9)) if counted else ()
    shared = association.bidirectional_softmax(logits, dummy, *counts)
    monkeypatch.setattr(association, "_MAX_SPREAD", 0.0)
    np.testing.assert_allclose(shared, association.bidirectional_softmax(logits, dummy, *counts), rtol=1e-5)
    assert shared.dtype == np.float32


@pytest.mark.parametrize("max_spread", [association._MAX_SPREAD, 22.0, 0.0])
@pytest.mark.parametrize("counted", [False, True])
def test_softmax_in_place_and_of_some_tracks_is_the_same(monkeypatch, max_spread, counted):
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=5, size=(6, 9)).astype(np.float32)
    assert abs(logits).max() > 22.0 / 2 and np.ptp(logits) < 22.0  # in the second case all logits are shifted
    given, counts = logits.copy(), (rng.integers(1, 4, 6), rng.integers(1, 4, 9)) if counted else ()
    expected = association.bidirectional_softmax(logits, 3.0, *counts)
    monkeypatch.setattr(association, "_MAX_SPREAD", max_spread)
    np.testing.assert_allclose(association.bidirectional_softmax(logits, 3.0, *counts), expected, rtol=1e-5)
    np.testing.assert_array_equal(logits, given)
    some = association.bidirectional_softmax(logits, 3.0, *counts, work=logits, columns=np.array([1, 4, 8]))
    np.testing.assert_allclose(some, expected[:, [1, 4, 8]], rtol=1e-5)


def test_logits_far_apart_do_not_underflow():
    # Minus distances: the second detection is far from all tracks, but nearer to the first.
    similarity = association.bidirectional_softmax(np.array([[-1.0, -400.0], [-900.0, -990.0]], np.float32))
    np.testing.assert_allclose(similarity, [[1, 0.5], [0.5, 0]], atol=1e-6)
