"""Batches that come several times, so that what is costly to make of them is made once."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any


class ReplayedBatches:
    """Endless batches of a loader, each of them several times.

    "Data echoing" (Choi et al., "Faster Neural Network Training with Data Echoing", arXiv 1907.05550): a number of
    batches come as the loader gives them, then again in another order, until each came ``times`` times; then the
    loader's next ones.
    """

    def __init__(self, loader: Iterable[list[dict[str, Any]]], times: int, num_batches: int, seed: int) -> None:
        """
        Args:
            loader: of endless batches.
            times: how often each batch comes, at least 1.
            num_batches: batches that are kept in memory and come again together, at least 1.
            seed: of the order in which they come again.

        Raises:
            ValueError: a number below 1.
        """
        if times < 1 or num_batches < 1:
            raise ValueError(f"DATALOADER.REPLAY.TIMES and NUM_BATCHES are at least 1, not {times} and {num_batches}")
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
