import numpy as np
import pytest

from ictrack.evaluation.metrics import TrackedSequence


def sequence(*similarity):
    similarity = [np.array(one, dtype=float) for one in similarity]
    return TrackedSequence([np.arange(2)] * len(similarity), [np.arange(1)] * len(similarity), similarity, 2, 1)


def test_pairs_are_those_of_any_similarity():
    pairs = sequence([[0.0], [0.25]], [[0.0], [0.0]], [[1.0], [0.5]]).pairs
    assert pairs.frame.tolist() == [0, 2, 2]
    assert pairs.gt.tolist() == [1, 0, 1]
    assert pairs.pred.tolist() == [0, 0, 0]
    assert pairs.similarity.tolist() == [0.25, 1.0, 0.5]
    assert len(sequence([[0.0], [0.0]]).pairs) == 0


def test_frames_of_each_identity():
    one = TrackedSequence([np.array([1]), np.array([0, 1])], [np.arange(0)] * 2, [np.zeros((1, 0))] * 2, 2, 0)
    assert one.gt_frames.tolist() == [1, 2]
    assert one.pred_frames.tolist() == []


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_a_similarity_out_of_range_is_an_error(value):
    with pytest.raises(ValueError, match="from 0 to 1"):
        _ = sequence([[value], [0.5]]).pairs


def test_a_similarity_of_another_shape_is_an_error():
    with pytest.raises(ValueError, match=r"frame 1 is of the shape \(1, 2\), not \(2, 1\)"):
        _ = sequence([[0.5], [0.5]], [[0.5, 0.5]]).pairs


def test_a_sequence_of_pairs_is_that_of_its_matrices():
    rng = np.random.default_rng(0)
    gt_ids = [np.flatnonzero(rng.random(5) < 0.6) for _ in range(20)]
    pred_ids = [np.flatnonzero(rng.random(7) < 0.6) for _ in range(20)]
    similarity = [
        rng.random((len(truth), len(tracks))) * (rng.random((len(truth), len(tracks))) < 0.3)
        for truth, tracks in zip(gt_ids, pred_ids)
    ]
    dense = TrackedSequence(gt_ids, pred_ids, similarity, 5, 7)
    sequence = TrackedSequence.of_pairs(gt_ids, pred_ids, dense.pairs, 5, 7)
    assert len(sequence.similarity) == 20
    for frame, matrix in enumerate(similarity):
        np.testing.assert_array_equal(sequence.similarity[frame], matrix)
    assert sequence.pairs is dense.pairs
