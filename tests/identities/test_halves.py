import math

import numpy as np
import pytest

from ictrack.identities import HalvesTest, Tracklet, cut_in_halves, match_halves


def tracklet(start, end):
    return Tracklet(np.arange(start, end), np.zeros(end - start, np.int64))


def test_tracklets_are_cut_in_the_middle_of_their_longest_company():
    tracklets = [tracklet(0, 40), tracklet(10, 30), tracklet(50, 54)]
    parts, of, cuts = cut_in_halves(tracklets, 5)
    assert of == [0, 0, 1, 1, 2]
    assert [(int(x.frames[0]), int(x.frames[-1])) for x in parts] == [(0, 19), (20, 39), (10, 19), (20, 29), (50, 53)]
    assert [(cut.first, cut.second) for cut in cuts] == [([0, 2], [1, 3])]


def test_short_company_is_not_cut():
    parts, of, cuts = cut_in_halves([tracklet(0, 9), tracklet(0, 9)], 5)
    assert of == [0, 1] and cuts == [] and [len(x) for x in parts] == [9, 9]


def test_no_tracklet_is_cut_twice():
    tracklets = [tracklet(0, 100), tracklet(0, 40), tracklet(50, 100)]
    _, of, cuts = cut_in_halves(tracklets, 5)
    assert sorted(of) == [0, 0, 1, 2, 2] and len(cuts) == 1


def test_matching_by_hand():
    tracklets = [tracklet(0, 20), tracklet(0, 20), tracklet(0, 20)]
    parts, _, cuts = cut_in_halves(tracklets, 5)
    means = np.zeros((len(parts), 3))
    for number, (first, second) in enumerate(zip(cuts[0].first, cuts[0].second)):
        means[first, number] = means[second, number] = 1
    assert match_halves(means, cuts) == HalvesTest(3, 3, 1, pytest.approx(1 / 3))
    means[[cuts[0].second[0], cuts[0].second[1]]] = means[[cuts[0].second[1], cuts[0].second[0]]]
    assert match_halves(means, cuts).matched == 1


def test_the_interval_is_wilsons():
    low, high = HalvesTest(9, 10, 0, 0.5).interval
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)  # Brown, Cai and DasGupta, 2001, by their formula
    low, high = HalvesTest(10, 10, 0, 0.5).interval
    assert high == 1 and 0.7 < low < 0.73
    # Of two objects, the second pair follows from the first: five cuts are five trials.
    assert HalvesTest(10, 10, 5, 0.5).interval[0] == pytest.approx(HalvesTest(5, 5, 0, 0.5).interval[0])
    assert all(math.isnan(x) for x in HalvesTest(0, 0, 0, math.nan).interval)
    assert "9 of 10 halves" in str(HalvesTest(9, 10, 1, 0.5)) and "no tracklets" in str(HalvesTest(0, 0, 0, math.nan))


def test_equal_embeddings_are_matched_by_chance():
    tracklets = [tracklet(100 * n, 100 * n + 20) for n in range(50) for _ in range(2)]
    parts, _, cuts = cut_in_halves(tracklets, 5)
    test = match_halves(np.ones((len(parts), 1)), cuts)
    assert test.pairs == 100 and 0.3 < test.accuracy < 0.7 and test.interval[0] < test.chance
