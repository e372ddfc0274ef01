import numpy as np

from ictrack.identities import Tracklet, fit_motion
from ictrack.identities.motion import MAX_GAP


def walks(number, length, seed=0):
    """Objects 100 pixels apart that move by about 2 pixels a frame."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(scale=2, size=(number, length, 2))
    centers = np.cumsum(steps, axis=1) + 100 * np.arange(number)[:, None, None]
    return [Tracklet(np.arange(length), np.full(length, k)) for k in range(number)], list(centers)


def test_near_and_soon_is_the_same_object():
    motion = fit_motion(*walks(4, 200), size=10.0)
    here, there = np.zeros(2), np.array([150.0, 0])
    one = np.array(1)
    assert motion(here, np.array([2.0, 0]), one) > 3
    assert motion(here, there, one) < -3
    assert motion(here, there, np.array(MAX_GAP)) > motion(here, there, one)


def test_beyond_the_longest_gap_places_say_nothing():
    motion = fit_motion(*walks(3, 200), size=10.0)
    assert motion(np.zeros(2), np.zeros(2), np.array([MAX_GAP + 1, 0, -3])).tolist() == [0, 0, 0]


def test_alone_there_is_nothing_to_compare_with():
    assert fit_motion(*walks(1, 50), size=10.0) is None
    assert fit_motion([], [], size=10.0) is None
