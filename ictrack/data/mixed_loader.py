"""Training loader of several data sets, each with its own mapper and its share of every batch.

Every sample has its own seed, made of the run's seed and the sample's position in the data set's stream. So the stream
does not depend on the number of workers, and no two samples share their random draws.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import cv2
import numpy as np
from detectron2.data import DatasetFromList
from detectron2.data.samplers import TrainingSampler
from torch.utils.data import DataLoader, Dataset, Sampler


class Source(NamedTuple):
    """Data set of a mixture.

    Attributes:
        records: Dataset dicts.
        mapper: Function of a dataset dict that returns a sample, or None to have another one drawn. It takes its
            random numbers from ``numpy.random``.
        per_batch: Number of samples in each batch of a process; a fraction is reached on average over batches.
    """

    records: Sequence[dict[str, Any]]
    mapper: Callable[[dict[str, Any]], dict[str, Any] | None]
    per_batch: Fraction


class SampleKey(NamedTuple):
    """Key of a sample in a MixedDataset."""

    source: int  # index of the Source
    record: int  # index of the record
    position: int  # position in the source's stream over all processes


class MixedDataset(Dataset):
    """Samples of several sources by their SampleKey."""

    def __init__(self, sources: Sequence[Source], seed: int) -> None:
        self._records = [DatasetFromList(list(source.records), copy=False) for source in sources]
        self._mappers = [source.mapper for source in sources]
        self._seed = seed

    def __getitem__(self, key: SampleKey) -> dict[str, Any]:
        records, record = self._records[key.source], key.record
        with numpy_seed(self._seed, key.source, key.position):
            while True:
                sample = self._mappers[key.source](records[record])
                if sample is not None:
                    return sample
                record = np.random.randint(len(records))


class MixedBatchSampler(Sampler[list[SampleKey]]):
    """Endless batches of this process with each data set's share, shuffled anew in each pass through it.

    Args:
        sizes: Number of records of each data set.
        per_batch: Samples of each data set in a batch; after k batches, floor(k * per_batch) have been drawn.
        seed: Seed, the same in all processes, which share each stream.
    """

    def __init__(self, sizes: Sequence[int], per_batch: Sequence[Fraction], seed: int) -> None:
        self._samplers = [TrainingSampler(size, seed=seed + source) for source, size in enumerate(sizes)]
        self._per_batch = per_batch

    def __iter__(self) -> Iterator[list[SampleKey]]:
        streams = [self._stream(source) for source in range(len(self._samplers))]
        drawn = [0] * len(streams)
        batch = 0
        while True:
            batch += 1
            keys = []
            for source, stream in enumerate(streams):
                due = math.floor(batch * self._per_batch[source])
                keys += [next(stream) for _ in range(due - drawn[source])]
                drawn[source] = due
            yield keys

    def _stream(self, source: int) -> Iterator[SampleKey]:
        sampler = self._samplers[source]
        for count, record in enumerate(sampler):
            yield SampleKey(source, record, count * sampler._world_size + sampler._rank)


def build_mixed_loader(sources: Sequence[Source], *, seed: int, num_workers: int) -> DataLoader:
    """Endless flat batches of a mixture; the k-th batch is the same for any number of workers.

    Args:
        sources: Data sets, none of them empty.
        seed: Seed, the same in all processes.
        num_workers: Number of processes that map; 0 maps in this one.
    """
    return DataLoader(
        MixedDataset(sources, seed),
        batch_sampler=MixedBatchSampler(
            [len(source.records) for source in sources], [source.per_batch for source in sources], seed
        ),
        num_workers=num_workers,
        collate_fn=flatten_views,
        worker_init_fn=_one_thread,
    )


def flatten_views(batch: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flat batch for the meta-architectures, in which samples with "views" are replaced by these."""
    return [view for sample in batch for view in sample.get("views", [sample])]


@contextlib.contextmanager
def numpy_seed(*entropy: int) -> Iterator[None]:
    """Context in which ``numpy.random`` depends on ``entropy`` alone."""
    state = np.random.get_state()
    np.random.seed(np.random.SeedSequence(entropy).generate_state(4))
    try:
        yield
    finally:
        np.random.set_state(state)


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)  # the workers are the threads
