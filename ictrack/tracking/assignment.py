"""Assignment of N detections to M tracks by the scores of :mod:`.association`, as pure functions."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

try:
    import lap
except ImportError:  # optional
    lap = None

# lap is faster than SciPy on large matrices that are nearly square: up to twice at 100 x 100 to 120, 1.2 times at
# 100 x 150, and hundreds of times slower at 100 x 1000.
_LAP_MIN_SIZE = 100
_LAP_MAX_ASPECT = 1.2


def assign_in_score_order(scores: np.ndarray, new_scores: np.ndarray) -> np.ndarray:
    """Row-wise argmax with conflicts resolved by descending score.

    Every detection proposes to its best track, which keeps the highest score; each loser proposes to its next-best
    track that is still at or above its ``new_scores``, and so on. As both sides rank pairs by the same score, this
    equals taking the acceptable pairs by descending score and skipping pairs whose detection or track is taken. Among
    equal scores the lower row comes first, then the lower column (the older track).

    Args:
        scores: (N, M) scores.
        new_scores: (N,) scores of a new object.

    Returns:
        (N,) int64 column of each detection, or -1.
    """
    # Comparison with one number, and nonzero of a vector, are the fastest ways through a large matrix.
    rows, columns = np.divmod(np.flatnonzero(scores >= new_scores.min(initial=np.inf)), scores.shape[1])
    values = scores[rows, columns]
    acceptable = values >= new_scores[rows]
    rows, columns, values = rows[acceptable], columns[acceptable], values[acceptable]
    assigned = np.full(len(scores), -1, dtype=np.int64)
    if (rows[1:] != rows[:-1]).all() and np.bincount(columns).max(initial=0) <= 1:  # nothing is contested
        assigned[rows] = columns
        return assigned
    order = np.argsort(-values, kind="stable")
    taken: set[int] = set()
    for row, column in zip(rows[order].tolist(), columns[order].tolist()):
        if assigned[row] < 0 and column not in taken:
            assigned[row] = column
            taken.add(column)
    return assigned


def assign_optimally(scores: np.ndarray, new_scores: np.ndarray) -> np.ndarray:
    """Assignment with the largest total gain over declaring everything new (Hungarian problem).

    The gain of a pair is ``scores[n, m] - new_scores[n]``; pairs of negative gain are never assigned. Arguments and
    result are those of :func:`assign_in_score_order`.
    """
    gain = scores - new_scores[:, None]
    rows, columns = largest_total(np.maximum(gain, 0))
    accepted = gain[rows, columns] >= 0
    assigned = np.full(len(scores), -1, dtype=np.int64)
    assigned[rows[accepted]] = columns[accepted]
    return assigned


def largest_total(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the min(N, M) pairs with the largest total ``gain`` (N, M): by SciPy, or by ``lap`` if it is
    installed and faster for the matrix's shape. They may differ among equal totals."""
    small, large = sorted(gain.shape)
    if lap is None or small < _LAP_MIN_SIZE or large > _LAP_MAX_ASPECT * small:
        return linear_sum_assignment(gain, maximize=True)
    columns, _ = lap.lapjv(np.negative(gain, dtype=np.float64), extend_cost=True, return_cost=False)
    rows = np.flatnonzero(columns >= 0)
    return rows, columns[rows]


def contested_rows(scores: np.ndarray, new_scores: np.ndarray, assigned: np.ndarray) -> np.ndarray:
    """Mask (N,) of the detections that have acceptable tracks, but lost all of them to other detections."""
    contested = assigned < 0
    rows = np.flatnonzero(contested)
    if len(rows):
        contested[rows] = (scores[rows] >= new_scores[rows, None]).any(axis=1)
    return contested
