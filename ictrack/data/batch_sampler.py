"""Batches of a training as positions in endless streams of samples, shared by all processes.

Batch k of a run is a function of k alone, so a run goes on anywhere without a memory of what came before, and the
batches of all processes together are the same for any number of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from detectron2.data.samplers import TrainingSampler
from detectron2.utils import comm
from torch.utils.data import Sampler

# Batches whose samples are grouped by shape together: about one of so many holds both shapes.
_WINDOW = 16


class SampleKey(NamedTuple):
    """Key of a sample in a data set of several sources."""

    source: int  # index of the source
    record: int  # index of the record in it
    position: int  # position in the source's stream over all processes


class Place(NamedTuple):
    """Place in a stream."""

    position: int
    record: int


# First place -> the stream of places from there on.
Stream = Callable[[int], Iterator[Place]]


def record_stream(sampler: TrainingSampler, seed: int) -> Stream:
    """Stream of one of Detectron2's training samplers over all processes: every record in each pass, shuffled anew.

    Args:
        sampler: A TrainingSampler, or another one of the same form.
        seed: Seed of the stream, instead of the sampler's.
    """

    def stream(first: int) -> Iterator[Place]:
        sampler._seed = seed  # without a public name in Detectron2, as the stream of all processes
        return itertools.islice(itertools.starmap(Place, enumerate(sampler._infinite_indices())), first, None)

    return stream


def grouped_stream(stream: Stream, is_wide: Sequence[bool], batch_size: int, seed: int) -> Stream:
    """Stream whose batches mostly hold pictures of one shape, which need less padding; as Detectron2's aspect ratio
    grouping, but within windows of a few batches, in each of which the batches are shuffled.

    Args:
        stream: Stream of records.
        is_wide: Whether each record is wider than high.
        batch_size: Samples of a batch over all processes.
        seed: Seed of the order of batches.
    """
    size = _WINDOW * batch_size

    def windows(first: int) -> Iterator[Place]:
        places = stream(first * size)
        for number in itertools.count(first):
            window = sorted(itertools.islice(places, size), key=lambda place: is_wide[place.record])
            for batch in np.random.default_rng((seed, number)).permutation(_WINDOW):
                yield from window[batch * batch_size : (batch + 1) * batch_size]

    return lambda first: itertools.islice(windows(first // size), first % size, None)


class MixedBatchSampler(Sampler[list[SampleKey]]):
    """Endless batches of this process with each source's share.

    With q samples of a source in a batch of all W processes, they take W floor(k q / W) samples in k batches. Process r
    takes the r-th of every W samples.

    Args:
        streams: Stream of each source.
        per_batch: Samples of each source in a batch of all processes; a fraction is reached on average over batches.
        first: Number of the first batch.
        processes_before: Number of processes that have drawn the batches before, if not as many as now. The first batch
            then has what they have left over of a source.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        per_batch: Sequence[Fraction],
        first: int = 0,
        processes_before: int | None = None,
    ) -> None:
        self._streams, self._per_batch, self._first = streams, per_batch, first
        self._processes_before = processes_before

    def __iter__(self) -> Iterator[list[SampleKey]]:
        rank, processes = comm.get_rank(), comm.get_world_size()

        def drawn(batches: int, by: int) -> list[int]:
            return [by * math.floor(batches * q / by) for q in self._per_batch]

        # Rounded down, so that no process lacks samples, and none is left out.
        starts = [start // processes * processes for start in drawn(self._first, self._processes_before or processes)]
        streams = [stream(start) for stream, start in zip(self._streams, starts)]
        for batch in itertools.count(self._first):
            keys, stops = [], drawn(batch + 1, processes)
            for source, (stream, start, stop) in enumerate(zip(streams, starts, stops)):
                places = list(itertools.islice(stream, stop - start))
                keys += [SampleKey(source, place.record, place.position) for place in places[rank::processes]]
            starts = stops
            yield keys
