import numpy as np
import pytest
import trackeval
from random_sequences import compare_with_trackeval, random_sequence, sequence_of, trackeval_data

from ictrack.evaluation.metrics import TrackedSequence, hota_counts, hota_curves, hota_scores
from ictrack.evaluation.metrics.association.hota import ALPHAS


def test_random_sequences_equal_trackeval():
    together = compare_with_trackeval("hota", trackeval.metrics.HOTA())
    assert 0.1 < together["HOTA"] < 0.9


def test_curves_equal_trackeval():
    rng = np.random.default_rng(8)
    for _ in range(50):
        sequence = random_sequence(rng)
        expected = trackeval.metrics.HOTA().eval_sequence(trackeval_data(sequence))
        for key, values in hota_curves(hota_counts(sequence)).items():
            np.testing.assert_allclose(values, expected[key], atol=1e-9, rtol=0, err_msg=key)


def test_equal_similarities_are_assigned_as_in_trackeval():
    rng = np.random.default_rng(9)
    for _ in range(100):
        num_gt, num_pred = rng.integers(1, 5, 2)
        similarity = [rng.choice([0.0, 0.5, 0.5, 1.0], (num_gt, num_pred)) for _ in range(4)]
        sequence = TrackedSequence(
            [np.arange(num_gt)] * 4, [np.arange(num_pred)] * 4, similarity, int(num_gt), int(num_pred)
        )
        expected = trackeval.metrics.HOTA().eval_sequence(trackeval_data(sequence))
        for key, values in hota_curves(hota_counts(sequence)).items():
            np.testing.assert_allclose(values, expected[key], atol=1e-9, rtol=0, err_msg=key)


def test_similarities_too_small_to_divide_by_do_not_align():
    ids = [np.arange(2)] * 2
    similarity = [np.array([[1e-300, 0.6], [0.3, 0.5]]), np.array([[0.4, 1e-18], [0.7, 0.2]])]
    sequence = TrackedSequence(ids, ids, similarity, 2, 2)
    expected = trackeval.metrics.HOTA().eval_sequence(trackeval_data(sequence))
    assert hota_scores(hota_counts(sequence))["HOTA"] == pytest.approx(np.mean(expected["HOTA"]), abs=1e-12)


def test_a_perfect_sequence():
    scores = hota_scores(hota_counts(sequence_of([0, 1], [0, 1])))
    ratios = {key: value for key, value in scores.items() if not key.startswith("HOTA_")}
    assert set(ratios.values()) == {1.0}
    assert (scores["HOTA_TP"], scores["HOTA_FN"], scores["HOTA_FP"]) == (4, 0, 0)


def test_a_track_that_changes_its_identity_half_way():
    # Everything is found, DetA = 1. Each true positive's track has 2 of the object's 4 frames: AssA = 1/2.
    scores = hota_scores(hota_counts(sequence_of([0], [0], [1], [1])))
    assert (scores["DetA"], scores["AssA"]) == (1.0, 0.5)
    assert scores["HOTA"] == pytest.approx(0.5**0.5)
    assert (scores["AssRe"], scores["AssPr"]) == (0.5, 1.0)


def test_a_similarity_counts_up_to_its_alpha():
    ids = [np.arange(1)]
    counts = hota_counts(TrackedSequence(ids, ids, [np.array([[0.5]])], 1, 1))
    assert counts["HOTA_TP"].tolist() == [1.0] * 10 + [0.0] * 9
    curves = hota_curves(counts)
    assert curves["LocA"].tolist() == [0.5] * 10 + [1.0] * 9
    assert hota_scores(counts)["LocA(0)"] == 0.5
    assert ALPHAS[9] == pytest.approx(0.5)


@pytest.mark.parametrize(("num_gt", "num_pred"), [(0, 0), (2, 0), (0, 2)])
def test_nothing_to_match(num_gt, num_pred):
    sequence = TrackedSequence(
        [np.arange(num_gt)] * 3,
        [np.arange(num_pred)] * 3,
        [np.zeros((num_gt, num_pred))] * 3,
        num_gt,
        num_pred,
    )
    scores = hota_scores(hota_counts(sequence))
    assert (scores["HOTA"], scores["LocA"]) == (0.0, 1.0)
    assert (scores["HOTA_FN"], scores["HOTA_FP"]) == (3 * num_gt, 3 * num_pred)
