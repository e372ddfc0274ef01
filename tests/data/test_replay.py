"""Replayed batches: how often each comes, in which order, and what stays in memory."""

import itertools
from collections import Counter

import pytest

from ictrack.data.replay import ReplayedBatches


class Numbers:
    """Loader whose k-th batch is k."""

    samples_per_batch = 1

    def __init__(self, seed=0, end=None):
        self.seed, self.end, self.first, self.asked = seed, end, 0, []

    def start_at(self, batch, processes_before=None):
        self.first = batch

    def __iter__(self):
        for number in itertools.islice(itertools.count(), self.first, self.end):
            self.asked.append(number)
            yield number


def batches(count, *, times, num_batches, first=0, loader=None):
    replayed = ReplayedBatches(loader or Numbers(), times, num_batches)
    replayed.start_at(first)
    return list(itertools.islice(replayed, count))


def test_each_batch_comes_so_often_before_the_next_ones():
    given = batches(24, times=3, num_batches=4)
    assert given[:4] == [0, 1, 2, 3]
    assert Counter(given[:12]) == dict.fromkeys(range(4), 3)
    assert Counter(given[12:]) == dict.fromkeys(range(4, 8), 3)
    # All come again before one comes a third time.
    assert sorted(given[4:8]) == sorted(given[8:12]) == [0, 1, 2, 3]


def test_order_changes_and_follows_the_seed():
    rounds = [tuple(batches(120, times=6, num_batches=20, loader=Numbers(seed))[20:]) for seed in (0, 0, 1)]
    assert rounds[0] == rounds[1] != rounds[2]
    assert rounds[0][:20] != rounds[0][20:40]


def test_no_more_than_needed_is_asked_of_the_loader():
    loader = Numbers()
    batches(12, times=3, num_batches=4, loader=loader)
    assert loader.asked == [0, 1, 2, 3]


@pytest.mark.parametrize("first", [1, 4, 11, 12, 29])
def test_replays_begin_anywhere(first):
    whole, loader = batches(40, times=3, num_batches=4), Numbers()
    assert batches(11, times=3, num_batches=4, first=first, loader=loader) == whole[first : first + 11]
    assert loader.asked[0] == first // 12 * 4  # nothing of the rounds before


def test_a_loader_that_ends_ends_the_batches():
    assert Counter(batches(99, times=2, num_batches=2, loader=Numbers(end=3))) == {0: 2, 1: 2, 2: 2}
    assert batches(99, times=2, num_batches=2, loader=Numbers(end=2))[:2] == [0, 1]


@pytest.mark.parametrize("times, num_batches", [(0, 4), (2, 0)])
def test_numbers_below_one_are_refused(times, num_batches):
    with pytest.raises(ValueError, match=r"DATALOADER\.REPLAY.*not"):
        ReplayedBatches(Numbers(), times, num_batches)
