"""Votes of a track's detections for its class."""

from __future__ import annotations

import numpy as np


class ClassVotes:
    """Sums of the scores of each identity's detections by class."""

    def __init__(self) -> None:
        self._sums: dict[int, dict[int, float]] = {}

    def vote(self, ids: np.ndarray, classes: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """Add detections (K,) of one frame; (K,) int64 classes with the largest sum, the first detected of equals."""
        elected = np.empty(len(ids), dtype=np.int64)
        for row, (identity, category, score) in enumerate(zip(ids.tolist(), classes.tolist(), scores.tolist())):
            sums = self._sums.setdefault(identity, {})
            sums[category] = sums.get(category, 0.0) + score
            elected[row] = max(sums, key=sums.__getitem__)
        return elected

    def keep(self, ids: np.ndarray) -> None:
        """Forget all other identities."""
        kept = set(ids.tolist())
        self._sums = {identity: sums for identity, sums in self._sums.items() if identity in kept}

    def state(self) -> np.ndarray:
        """(R, 3) float64 identity, class, sum, in the order in which they were added."""
        rows = [(identity, *vote) for identity, sums in self._sums.items() for vote in sums.items()]
        return np.array(rows, dtype=np.float64).reshape(-1, 3)

    def load(self, state: np.ndarray) -> None:
        """Restore a :meth:`state`."""
        self._sums = {}
        for identity, category, total in state.tolist():
            self._sums.setdefault(int(identity), {})[int(category)] = total
