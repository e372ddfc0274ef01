import numpy as np
import pytest

from ictrack.identities import Cut, assumed_appearance, fit_appearance, unit_mean


def noisy(direction, count, rng, noise=0.6):
    vectors = np.eye(8)[direction] + noise * rng.normal(size=(count, 8)) / np.sqrt(8)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cut_of(number):
    return Cut(list(range(number)), list(range(number, 2 * number)))


def test_longer_tracklets_are_more_certain():
    rng = np.random.default_rng(0)
    parts = [noisy(k, 40, rng, 1.5) for _ in range(2) for k in range(4)]
    appearance = fit_appearance(parts, [cut_of(4)])
    lengths = np.array([1, 16])
    assert np.diff(appearance(np.array([0.0, 0.0]), lengths))[0] < 0
    same = [unit_mean(parts[0][:n]) @ unit_mean(parts[4]) for n in (1, 16)]
    certain = appearance(np.array(same), lengths)
    assert certain[1] > max(certain[0], 0)


def test_looks_that_say_nothing_give_even_odds():
    rng = np.random.default_rng(0)
    parts = [noisy(0, 40, rng) for _ in range(8)]
    appearance = fit_appearance(parts, [cut_of(4)])
    cosines = np.array([unit_mean(parts[i]) @ unit_mean(parts[j]) for i in range(4) for j in range(4, 8)])
    assert np.abs(appearance(cosines, np.full(16, 40))).max() < 1.5


def test_without_cuts_there_is_no_calibration():
    assert fit_appearance([np.eye(3)], []) is None


def test_assumed_odds_are_even_at_one_half():
    appearance = assumed_appearance()
    assert appearance(np.array([0.5, 0.8]), np.array([1, 64])) == pytest.approx([0, 3])


def test_a_mean_is_a_unit_vector_also_of_opposites():
    assert unit_mean(np.array([[1.0, 0], [0, 1]])) == pytest.approx([0.5**0.5] * 2)
    assert np.isfinite(unit_mean(np.array([[1.0, 0], [-1, 0]]))).all()
