import numpy as np
import pytest

from ictrack.evaluation.metrics.youtube_vis.matching import VideoMatches
from ictrack.evaluation.metrics.youtube_vis.precision_recall import RankedDetections


def matches(scores, right, *, ignored=None, num_gt=1):
    """Alike at all area ranges and thresholds."""
    shape = (4, 10, len(scores))
    return VideoMatches(
        np.array(scores, dtype=float),
        np.broadcast_to(np.array(right, dtype=bool), shape),
        np.broadcast_to(np.zeros(len(scores), dtype=bool) if ignored is None else np.array(ignored), shape),
        np.full(4, num_gt),
    )


def curves(videos, weights=None):
    ranked = RankedDetections(videos, range(len(videos)), len(videos))
    return ranked.curves(np.ones(len(videos)) if weights is None else np.array(weights))


def test_a_curve_by_hand():
    # Right, wrong, right of four ground truths: precision 1 up to recall 1/4, then 2/3 up to 1/2, then nothing.
    precision, recall = curves([matches([0.9, 0.8, 0.7], [True, False, True], num_gt=4)])
    assert recall[0, 0].tolist() == [0.25, 0.5, 0.5]
    expected = [1.0] * 26 + [2 / 3] * 25 + [0.0] * 50
    assert precision[0, :, 0] == pytest.approx(expected, abs=1e-12)


def test_precision_is_made_falling_from_the_right():
    precision, _ = curves([matches([0.9, 0.8], [False, True])])
    assert precision[0, :, 0] == pytest.approx([0.5] * 101)


def test_a_perfect_score_falls_short_of_one_by_rounding():
    precision, _ = curves([matches([0.9], [True])])
    assert set(precision.ravel()) == {0.9999999999999998}


def test_ignored_detections_are_neither_right_nor_wrong():
    precision, _ = curves([matches([0.9, 0.8, 0.7], [False, True, True], ignored=[True, True, False])])
    assert precision[0, :, 0] == pytest.approx([1.0] * 101)


def test_thresholds_and_ranges_may_ignore_differently():
    one = matches([0.9, 0.8], [False, True])
    ignored = np.zeros((4, 10, 2), dtype=bool)
    ignored[1, 3:, 0] = ignored[2, 7:, 0] = True
    precision, _ = curves([VideoMatches(one.scores, one.matched, ignored, one.num_gt)])
    assert precision[:, 0, 0] == pytest.approx([0.5] * 10)
    assert precision[:, 0, 1] == pytest.approx([0.5] * 3 + [1.0] * 7)
    assert precision[:, 0, 2] == pytest.approx([0.5] * 7 + [1.0] * 3)


def test_equal_scores_come_in_the_order_of_videos():
    first, second = matches([0.5], [True], num_gt=1), matches([0.5], [False], num_gt=1)
    assert curves([first, second])[0][0, 0, 0] == pytest.approx(1.0)
    assert curves([second, first])[0][0, 0, 0] == pytest.approx(0.5)


@pytest.mark.parametrize("videos", [[], [matches([], [], num_gt=0)], [matches([0.5], [False], num_gt=0)]])
def test_nothing_to_find_is_minus_one(videos):
    precision, recall = curves(videos)
    assert np.isnan(precision).all()
    assert np.isnan(recall).all()
    assert precision.shape == (10, 101, 4)
    assert recall.shape == (10, 4, 3)


@pytest.mark.parametrize("videos", [[matches([], [])], [matches([0.5], [False])]])
def test_nothing_found_is_zero(videos):
    precision, recall = curves(videos)
    assert (precision == 0).all()
    assert (recall == 0).all()


def test_only_the_best_of_a_video_count_for_the_recall():
    right = [False] * 10 + [True] * 10
    _, recall = curves([matches(np.linspace(1, 0, 20), right, num_gt=10)])
    assert recall[0, 0].tolist() == [0.0, 0.0, 1.0]


def random_matches(rng):
    num_pred = rng.integers(0, 6)
    matched = rng.random((4, 10, num_pred)) < 0.5
    ignored = rng.random((4, 10, num_pred)) < 0.4
    # Scores differ, as copies of a video count together where scores are equal.
    return VideoMatches(-np.sort(-rng.random(num_pred)), matched, ignored, rng.integers(0, 9, 4))


def test_weights_are_copies_of_videos():
    rng = np.random.default_rng(0)
    for _ in range(60):
        videos = [random_matches(rng) for _ in range(rng.integers(1, 6))]
        weights = rng.integers(0, 4, len(videos))
        copies = [video for video, weight in zip(videos, weights) for _ in range(weight)]
        for ours, expected in zip(curves(videos, weights), curves(copies)):
            np.testing.assert_array_equal(ours, expected)
