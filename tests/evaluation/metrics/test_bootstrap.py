import itertools

import numpy as np
import pytest

from ictrack.evaluation.metrics import bootstrap_intervals, paired_bootstrap


def mean_of(values):
    return lambda weights: {"mean": float(weights @ values / weights.sum())}


def test_interval_of_two_units_by_hand():
    # Draws of two out of {0, 1}: mean 0, 1/2, 1/2 or 1 with a quarter each, so that both tails are beyond 2.5 %.
    assert bootstrap_intervals(mean_of(np.array([0.0, 1.0])), 2, num_samples=200) == {"mean": (0.0, 1.0)}


def test_interval_covers_the_exact_percentiles():
    values = np.array([0.0, 1.0, 5.0, 6.0, 9.0])
    exact = [np.mean(values[list(draw)]) for draw in itertools.product(range(5), repeat=5)]
    low, high = bootstrap_intervals(mean_of(values), 5, num_samples=4000)["mean"]
    assert low == pytest.approx(np.quantile(exact, 0.025), abs=0.25)
    assert high == pytest.approx(np.quantile(exact, 0.975), abs=0.25)


def test_weights_count_draws():
    seen = []

    def statistic(weights):
        seen.append(weights.copy())
        return {"x": 0.0}

    bootstrap_intervals(statistic, 7, num_samples=20)
    assert all(w.dtype.kind == "i" and w.shape == (7,) and w.sum() == 7 and w.min() >= 0 for w in seen)
    assert len({tuple(w) for w in seen}) > 15


def test_the_seed_fixes_the_draws():
    statistic = mean_of(np.arange(9.0))
    first, again, other = (bootstrap_intervals(statistic, 9, num_samples=50, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_draws_with_nothing_to_measure_are_left_out():
    def statistic(weights):
        return {"some": 1.0 if weights[0] else np.nan, "none": np.nan}

    intervals = bootstrap_intervals(statistic, 3, num_samples=50)
    assert intervals["some"] == (1.0, 1.0)
    assert np.isnan(intervals["none"]).all()


def test_paired_draws_cancel_what_both_have_in_common():
    values = np.random.default_rng(0).normal(size=30)
    a, b = mean_of(values + 0.25), mean_of(values)
    low, high = paired_bootstrap(a, b, 30, num_samples=200)["mean"]
    assert (low, high) == pytest.approx((0.25, 0.25))
    unpaired = bootstrap_intervals(a, 30, num_samples=200)["mean"]
    assert unpaired[1] - unpaired[0] > 0.3


def test_paired_scores_that_one_lacks_are_left_out():
    intervals = paired_bootstrap(lambda w: {"x": 2.0, "y": 1.0}, lambda w: {"x": np.nan, "z": 1.0}, 2, num_samples=3)
    assert list(intervals) == ["x"]
    assert np.isnan(intervals["x"]).all()


@pytest.mark.parametrize(("num_units", "num_samples"), [(0, 5), (5, 0)])
def test_nothing_to_draw_is_an_error(num_units, num_samples):
    with pytest.raises(ValueError, match="nothing can be drawn"):
        bootstrap_intervals(lambda w: {}, num_units, num_samples=num_samples)


def test_scores_that_come_and_go_are_an_error():
    with pytest.raises(ValueError, match="those of the first"):
        bootstrap_intervals(lambda w: {"x" if w[0] else "y": 1.0}, 2, num_samples=50)
