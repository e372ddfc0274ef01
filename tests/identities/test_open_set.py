import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.identities import (
    Evidence,
    HalvesTest,
    Links,
    Tracklet,
    accuracy_of,
    assumed_appearance,
    leave_open,
    link_closed,
    link_open,
)
from ictrack.identities.evidence import meetings


def tracklet(start, end):
    return Tracklet(np.arange(start, end), np.zeros(end - start, np.int64))


def unit(*rows):
    rows = np.array(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def link(tracklets, means, **more):
    return link_open(Evidence(tracklets, means, assumed_appearance(), **more))


def test_objects_that_come_back_get_their_number():
    tracklets = [tracklet(0, 10), tracklet(0, 12), tracklet(30, 40), tracklet(35, 60), tracklet(70, 80)]
    links = link(tracklets, unit([1, 0, 0], [0, 1, 0], [0, 1, 0.1], [1, 0.1, 0], [0, 0, 1]))
    assert links.identities.tolist() == [0, 1, 1, 0, 2]
    assert (links.probabilities > 0.9).all()


def test_tracklets_that_meet_stay_apart_though_they_look_the_same():
    links = link([tracklet(0, 10), tracklet(5, 20)], unit([1, 0], [1, 0]))
    assert links.identities.tolist() == [0, 1]


def test_one_of_two_equals_is_not_guessed():
    """The third looks as much like the first as like the second, which are two."""
    links = link([tracklet(0, 10), tracklet(0, 10), tracklet(20, 30)], unit([1, 0.01], [1, -0.01], [1, 0]))
    assert links.identities.tolist() == [0, 1, 2]


def test_what_a_person_told_apart_stays_apart():
    tracklets, means = [tracklet(0, 10), tracklet(20, 30)], unit([1, 0], [1, 0.1])
    assert link(tracklets, means).identities.tolist() == [0, 0]
    assert link(tracklets, means, different=[(0, 1)]).identities.tolist() == [0, 1]


def test_probabilities_of_hand_computed_odds():
    """Cosine 0.8 between two tracklets has log-odds of 3, by the assumed evidence 10 (cosine - 0.5)."""
    links = link([tracklet(0, 10), tracklet(20, 30)], unit([1, 0], [0.8, 0.6]))
    assert links.identities.tolist() == [0, 0]
    assert links.probabilities == pytest.approx(1 / (1 + np.exp(-3)))
    assert links.rivals.tolist() == [-1, -1]


def test_doubtful_ones_are_left_open():
    links = link([tracklet(0, 10), tracklet(20, 30)], unit([1, 0], [0.8, 0.6]))
    assert leave_open(links, 0.99).identities.tolist() == [-1, -1]
    assert leave_open(links, 0.9).identities.tolist() == [0, 0]


def test_meetings_are_shared_frames():
    gap = Tracklet(np.array([0, 1, 8, 9]), np.zeros(4, np.int64))
    assert meetings([gap, tracklet(3, 7), tracklet(9, 12)]).tolist() == [
        [False, False, True],
        [False, False, False],
        [True, False, False],
    ]
    assert meetings([]).shape == (0, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_identities_never_meet_themselves_and_count_from_zero(number, seed):
    rng = np.random.default_rng(seed)
    tracklets = [tracklet(start, start + rng.integers(1, 20)) for start in rng.integers(0, 60, number).tolist()]
    links = link(tracklets, unit(*rng.normal(size=(number, 3))))
    assert sorted(set(links.identities.tolist())) == list(range(links.num_identities))
    together = links.identities[:, None] == links.identities
    assert not (together & meetings(tracklets)).any()
    assert ((links.probabilities > 0) & (links.probabilities <= 1)).all()


def test_two_objects_that_are_seen_once_only_exchange_their_names():
    """Alike as they are, nothing else is known of either, so that there is nothing to doubt."""
    tracklets, means = [tracklet(0, 10), tracklet(0, 10)], unit([1, 0.01], [1, -0.01])
    assert link(tracklets, means).probabilities.tolist() == [1, 1]
    assert link_closed(Evidence(tracklets, means, assumed_appearance()), 2).probabilities.tolist() == [1, 1]


def test_an_exchange_counts_for_both():
    """Log-odds, each with what remains of the other identity: 2 (5 - 1) = 8 for the exchange of the later two."""
    tracklets = [tracklet(0, 10), tracklet(0, 10), tracklet(20, 30), tracklet(20, 30)]
    means = unit([1, 0], [0.6, 0.8], [1, 0], [0.6, 0.8])
    links = link_closed(Evidence(tracklets, means, assumed_appearance()), 2)
    assert links.identities[2] == links.identities[0] != links.identities[3] == links.identities[1]
    assert links.probabilities[2:] == pytest.approx(1 / (1 + np.exp(-8)))


def test_identities_that_lost_all_are_not_counted():
    links = leave_open(Links(np.array([0, 1, 2]), np.array([0.9, 0.2, 0.8]), np.array([1, 0, -1])), 0.5)
    assert links.identities.tolist() == [0, -1, 1] and links.num_identities == 2
    assert links.rivals.tolist() == [-1, -1, -1]


def test_the_interval_of_the_accuracy_holds_how_tracklets_turn_out():
    halves = HalvesTest(30, 30, 4, 0.2)
    links = Links(np.array([0, 1, -1]), np.array([0.9, 0.8, 0.3]), np.full(3, -1))
    estimate, low, high = accuracy_of(links, np.array([30.0, 10, 99]), halves)
    assert estimate == pytest.approx(0.875)
    assert high == 1  # all are right with probability 0.72
    assert low <= 0.25  # the long one is wrong with probability 0.1
    assert np.isnan(accuracy_of(links, np.ones(3), HalvesTest(2, 2, 1, 0.5))).all()
