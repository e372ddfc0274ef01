import numpy as np
import pytest

from ictrack.identities.log_odds import fit_log_odds


def test_a_feature_that_says_nothing_gives_even_odds():
    features = np.array([[0.0], [1.0], [0.0], [1.0]])
    found = fit_log_odds(features, np.array([True, True, False, False]), 2)
    assert found(features) == pytest.approx(0, abs=1e-4)


def test_separated_examples_are_as_certain_as_their_number_allows():
    features = np.array([[0.9], [0.8], [0.1], [0.2]])
    same = np.array([True, True, False, False])
    few, many = (fit_log_odds(features, same, trials) for trials in (4, 400))
    assert (few(features) > 0).tolist() == same.tolist()
    # Platt's targets: (n + 1) / (n + 2), so that log-odds of about log(n + 1) are reached, and no more.
    assert few(np.array([0.85])) == pytest.approx(np.log(5), abs=0.35)
    assert 4 < many(np.array([0.85])) < np.log(401) + 1


def test_rows_beyond_the_trials_do_not_count_twice():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(1, 1, (200, 1)), rng.normal(-1, 1, (200, 1))])
    same = np.arange(400) < 200
    once = fit_log_odds(features, same, 50)
    ten_times = fit_log_odds(np.repeat(features, 10, axis=0), np.repeat(same, 10), 50)
    assert ten_times.weights == pytest.approx(once.weights, rel=1e-3)
    # Two unit normals two apart: the log-odds are 2 x.
    assert fit_log_odds(features, same, 4000).weights[0] == pytest.approx(2, rel=0.3)


def test_kinds_weigh_the_same():
    features = np.array([[1.0], *[[0.0]] * 9])
    found = fit_log_odds(features, np.arange(10) < 1, 10)
    assert found(np.array([0.5])) == pytest.approx(0, abs=1e-3)


def test_one_kind_is_not_enough():
    with pytest.raises(ValueError, match="both kinds"):
        fit_log_odds(np.zeros((3, 1)), np.ones(3, bool), 3)
