"""Data echoing: training batches that are replayed, so that one loading and decoding serves several steps."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from .mixed_loader import MixedLoader


class ReplayedBatches:
    """Endless batches of a loader, each of them several times.

    Data echoing (Choi et al., "Faster Neural Network Training with Data Echoing", arXiv 1907.05550): ``num_batches``
    batches come as the loader gives them, then again in random order, until each came ``times`` times; then the next
    ones.
    """

    def __init__(self, loader: MixedLoader, times: int, num_batches: int) -> None:
        """
        Args:
            loader: Loader of endless batches, whose seed also orders the replays.
            times: Number of times each batch comes, at least 1.
            num_batches: Number of batches that are kept in memory and replayed together, at least 1.

        Raises:
            ValueError: a number is below 1.
        """
        if times < 1 or num_batches < 1:
            raise ValueError(f"DATALOADER.REPLAY.TIMES and NUM_BATCHES must be at least 1, not {times}, {num_batches}")
        self._loader, self._times, self._num_batches = loader, times, num_batches
        self._round = self._skipped = 0

    @property
    def seed(self) -> int:
        return self._loader.seed

    @seed.setter
    def seed(self, seed: int) -> None:
        self._loader.seed = seed

    @property
    def samples_per_batch(self) -> int:
        return self._loader.samples_per_batch

    def start_at(self, batch: int, processes_before: int | None = None) -> None:
        """Begin with the batch of that number, replays included; what its round has kept by then is loaded again."""
        self._round, self._skipped = divmod(batch, self._times * self._num_batches)
        self._loader.start_at(self._round * self._num_batches, processes_before)

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        return itertools.islice(self._rounds(), self._skipped, None)

    def _rounds(self) -> Iterator[list[dict[str, Any]]]:
        loader = iter(self._loader)
        for number in itertools.count(self._round):
            order = random.Random(f"{self.seed} {number}")  # noqa: S311  an order, no secret
            kept = []
            for batch in itertools.islice(loader, self._num_batches):
                kept.append(batch)
                yield batch
            if not kept:
                return
            for _ in range(self._times - 1):
                order.shuffle(kept)
                yield from kept
