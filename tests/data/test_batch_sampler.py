"""Batches as positions in streams: each pass, each process, any beginning."""

import itertools
from fractions import Fraction

import pytest
import torch
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from detectron2.utils import comm

from ictrack.data.batch_sampler import MixedBatchSampler, Place, grouped_stream, record_stream


def first_of(stream, count, first=0):
    return list(itertools.islice(stream(first), count))


def keys_of(monkeypatch, processes, per_batch, count, first=0, before=None):
    """``count`` batches of each process from sources of 8 and 6 records."""
    streams = [record_stream(TrainingSampler(size, seed=0), seed) for seed, size in enumerate((8, 6))]
    monkeypatch.setattr(comm, "get_world_size", lambda: processes)
    result = []
    for rank in range(processes):
        monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
        result.append(list(itertools.islice(MixedBatchSampler(streams, per_batch, first, before), count)))
    return result


def test_processes_share_each_pass_through_the_data(monkeypatch):
    """Two processes see every record once an epoch, in samples that none of them shares with the other."""
    keys = keys_of(monkeypatch, 2, [Fraction(4), Fraction(3)], 2)
    assert [len(batch) for rank in keys for batch in rank] == [3, 4, 3, 4]
    everything = [key for rank in keys for batch in rank for key in batch]
    for source, size in ((0, 8), (1, 6)):
        mine = [key for key in everything if key.source == source]
        assert sorted(key.record for key in mine) == list(range(size))
        assert sorted(key.position for key in mine) == list(range(size))


def test_the_batches_of_all_processes_do_not_depend_on_their_number(monkeypatch):
    per_batch = [Fraction(4), Fraction(8)]
    batches = {n: zip(*keys_of(monkeypatch, n, per_batch, 5)) for n in (1, 2, 4)}
    found = {n: [sorted(itertools.chain(*parts)) for parts in batch] for n, batch in batches.items()}
    assert found[1] == found[2] == found[4]


@pytest.mark.parametrize("first", [1, 4, 7])
def test_batches_begin_anywhere(monkeypatch, first):
    per_batch = [Fraction(2), Fraction(3, 8)]
    whole = keys_of(monkeypatch, 2, per_batch, 12)
    assert keys_of(monkeypatch, 2, per_batch, 5, first) == [keys[first : first + 5] for keys in whole]


@pytest.mark.parametrize("first", [1, 2, 3])
@pytest.mark.parametrize(("before", "now"), [(2, 1), (1, 2), (4, 2), (3, 2), (2, 3)])
def test_other_processes_go_on_where_a_source_stopped(monkeypatch, first, before, now):
    """A source that comes once in a batch is at a whole number of samples of each process: none is left out, and fewer
    than the processes are repeated."""
    per_batch = [Fraction(12), Fraction(1)]
    stopped = keys_of(monkeypatch, before, per_batch, first)
    resumed = keys_of(monkeypatch, now, per_batch, 7, first, before)
    for source, repeated in ((0, 1), (1, now)):
        seen, again = (
            sorted(key.position for batches in keys for batch in batches for key in batch if key.source == source)
            for keys in (stopped, resumed)
        )
        assert again == list(range(again[0], again[0] + len(again)))
        assert 0 <= len(seen) - again[0] < repeated
    assert len({tuple(len(batch) for batch in batches) for batches in resumed}) == 1  # no process waits for another


def test_a_stream_begins_anywhere_and_follows_its_seed():
    sampler = RepeatFactorTrainingSampler(torch.full((5,), 1.5), seed=0)
    stream = record_stream(sampler, 3)
    assert first_of(stream, 10, 17) == first_of(stream, 27)[17:]
    assert first_of(record_stream(sampler, 4), 20) != first_of(record_stream(sampler, 3), 20)


def test_batches_of_one_shape():
    """Of 16 batches at most one mixes shapes, their order is shuffled, and no sample is lost."""
    is_wide = [i % 3 == 0 for i in range(40)]
    plain = record_stream(TrainingSampler(40, seed=0), 0)
    grouped = grouped_stream(plain, is_wide, 4, 0)
    places = first_of(grouped, 128)
    for window in (0, 64):
        assert sorted(places[window : window + 64]) == sorted(first_of(plain, 64, window))
        shares = [sum(is_wide[p.record] for p in places[i : i + 4]) / 4 for i in range(window, window + 64, 4)]
        assert sum(0 < share < 1 for share in shares) <= 1
        assert shares != sorted(shares)
    for first in (4, 60, 64, 100):
        assert first_of(grouped, 20, first) == places[first : first + 20]
    assert isinstance(places[0], Place)
