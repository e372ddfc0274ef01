"""Training loader of several data sets, each with its own mapper and its share of every batch.

Every sample has its own seed, made of the run's seed and the sample's position in the data set's stream. So the stream
does not depend on the number of workers, and no two samples share their random draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import cv2
import numpy as np
from detectron2.data import DatasetFromList
from detectron2.data.samplers import TrainingSampler
from torch.utils.data import DataLoader, Dataset

from .batch_sampler import MixedBatchSampler, SampleKey, grouped_stream, record_stream


class Source(NamedTuple):
    """Data set of a mixture.

    Attributes:
        records: Dataset dicts.
        mapper: Function of a dataset dict that returns a sample, or None to have another one drawn. It takes its
            random numbers from ``numpy.random``.
        sampler: One of Detectron2's training samplers of the records.
        per_batch: Number of samples in each batch of all processes; a fraction is reached on average over batches.
    """

    records: Sequence[dict[str, Any]]
    mapper: Callable[[dict[str, Any]], dict[str, Any] | None]
    sampler: TrainingSampler
    per_batch: Fraction


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


class MixedLoader:
    """Endless flat batches of a mixture; the k-th batch is the same for any number of workers.

    Attributes:
        seed: Seed of everything that is random, the same in all processes.
        samples_per_batch: Samples of the first source in a batch of all processes.
    """

    def __init__(self, sources: Sequence[Source], *, seed: int, num_workers: int, group_by_shape: bool = False) -> None:
        """
        Args:
            sources: Data sets, none of them empty. The first has a whole number of samples in a batch.
            seed: See the class.
            num_workers: Number of processes that map; 0 maps in this one.
            group_by_shape: Whether batches hold either wide or high pictures of the first source, the only one.
        """
        self.seed = seed
        self.samples_per_batch = int(sources[0].per_batch)
        self._sources, self._num_workers, self._group_by_shape = sources, num_workers, group_by_shape
        self._first = 0
        self._processes_before: int | None = None

    def start_at(self, batch: int, processes_before: int | None = None) -> None:
        """Begin with the batch of that number, see :class:`MixedBatchSampler`."""
        self._first, self._processes_before = batch, processes_before

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        streams = [record_stream(source.sampler, self.seed + i) for i, source in enumerate(self._sources)]
        if self._group_by_shape:
            is_wide = [record.get("width", 0) > record.get("height", 0) for record in self._sources[0].records]
            streams = [grouped_stream(streams[0], is_wide, self.samples_per_batch, self.seed)]
        per_batch = [source.per_batch for source in self._sources]
        loader = DataLoader(
            MixedDataset(self._sources, self.seed),
            batch_sampler=MixedBatchSampler(streams, per_batch, self._first, self._processes_before),
            num_workers=self._num_workers,
            collate_fn=flatten_views,
            worker_init_fn=_one_thread,
        )
        return iter(loader)


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
