"""Data echoing: training batches that are replayed, so that one loading and decoding serves several steps."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


class ReplayedBatches:
    """Endless batches of a loader, each of them several times.

    Data echoing (Choi et al., "Faster Neural Network Training with Data Echoing", arXiv 1907.05550): ``num_batches``
    batches come as the loader gives them, then again in random order, until each came ``times`` times; then the next
    ones.
    """

    def __init__(self, loader: Iterable[list[dict[str, Any]]], times: int, num_batches: int, seed: int) -> None:
        """
        Args:
            loader: Loader of endless batches.
            times: Number of times each batch comes, at least 1.
            num_batches: Number of batches that are kept in memory and replayed together, at least 1.
            seed: Seed of the replays' order.

        Raises:
            ValueError: a number is below 1.
        """
        if times < 1 or num_batches < 1:
            raise ValueError(f"DATALOADER.REPLAY.TIMES and NUM_BATCHES must be at least 1, not {times}, {num_batches}")
        self._loader, self._times, self._num_batches, self._seed = loader, times, num_batches, seed

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        loader, order = iter(self._loader), random.Random(self._seed)
        while True:
            kept = []
            for batch in islice(loader, self._num_batches):
                kept.append(batch)
                yield batch
            if not kept:
                return
            for _ in range(self._times - 1):
                order.shuffle(kept)
                yield from kept
