import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.identities import Evidence, Tracklet, assumed_appearance, link_closed


def tracklet(start, end):
    return Tracklet(np.arange(start, end), np.zeros(end - start, np.int64))


def unit(*rows):
    rows = np.array(rows, dtype=float)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def assign_identities(tracklets, means, number):
    return link_closed(Evidence(tracklets, means, assumed_appearance()), number).identities


# Two objects, before and after a crossing, and a glimpse of the first.
TRACKLETS = [tracklet(0, 10), tracklet(0, 12), tracklet(15, 30), tracklet(16, 40), tracklet(50, 52)]


def test_the_nearest_identity_joins_tracklets_over_a_gap():
    means = unit([1, 0], [0, 1], [0.1, 1], [1, 0.1], [0.9, 0.2])
    assert assign_identities(TRACKLETS, means, 2).tolist() in ([0, 1, 1, 0, 0], [1, 0, 0, 1, 1])


def test_tracklets_that_meet_are_different_even_if_they_look_alike():
    means = unit([1, 0], [0, 1], [1, 0.2], [1, 0.1], [0.9, 0.2])
    first, second, third, fourth, _ = assign_identities(TRACKLETS, means, 2).tolist()
    assert first != second and third != fourth
    assert fourth == first  # the more certain one


def test_where_every_identity_is_taken_a_tracklet_stays_open():
    # The last meets one tracklet of each object, one after the other.
    tracklets = [tracklet(0, 20), tracklet(0, 8), tracklet(12, 20), tracklet(6, 14)]
    with pytest.raises(ValueError, match="there are frames with 3 objects"):
        assign_identities(tracklets, unit([1, 0], [0, 1], [0, 1], [1, 1]), 2)
    tracklets[3] = tracklet(8, 12)
    tracklets.append(tracklet(19, 22))
    tracklets[2] = tracklet(12, 19)
    means = unit([1, 0], [0, 1], [0, 1], [0.1, 1], [0.2, 1])
    assert assign_identities(tracklets, means, 2).tolist() in ([0, 1, 1, 1, 1], [1, 0, 0, 0, 0])


def test_a_number_that_is_never_seen_is_refused():
    with pytest.raises(ValueError, match="no frame shows that many"):
        assign_identities(TRACKLETS, unit(*[[1, 0]] * 5), 3)


def test_a_single_object():
    tracklets = [tracklet(0, 5), tracklet(10, 30)]
    assert assign_identities(tracklets, unit([1, 0], [0, 1]), 1).tolist() == [0, 0]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_tracklets_that_meet_never_share_an_identity(number, seed):
    """Objects that are lost now and then, so that no frame shows more than there are."""
    rng = np.random.default_rng(seed)
    tracklets = [tracklet(0, int(rng.integers(5, 30))) for _ in range(number)]
    for first in tracklets[:number]:
        time = int(first.frames[-1]) + 1
        for _ in range(4):
            start = time + int(rng.integers(0, 4))
            time = start + int(rng.integers(1, 20))
            tracklets.append(tracklet(start, time))
    identities = assign_identities(tracklets, unit(*rng.normal(size=(len(tracklets), 3))), number)
    assert set(identities.tolist()) - {-1} == set(range(number))
    for i, one in enumerate(tracklets):
        for j, other in enumerate(tracklets[:i]):
            meet = np.isin(one.frames, other.frames).any()
            assert not meet or identities[i] != identities[j] or identities[i] == -1
