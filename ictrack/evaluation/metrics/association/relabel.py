"""Tracked sequences from identities of any numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .tracked_sequence import TrackedSequence


def sequence_of_ids(
    gt_ids: Sequence[np.ndarray],
    pred_ids: Sequence[np.ndarray],
    similarity: Sequence[np.ndarray],
    length: int | None = None,
) -> TrackedSequence:
    """Sequence of identities (any integers, unique in a frame), which it numbers from 0 in their order.

    Args:
        gt_ids, pred_ids: (G_t,) and (D_t,) for each frame.
        similarity: Similarities in [0, 1], (G_t, D_t) for each frame.
        length: See :class:`TrackedSequence`.
    """
    gt, num_gt = _from_zero(gt_ids)
    pred, num_pred = _from_zero(pred_ids)
    return TrackedSequence(gt, pred, similarity, num_gt, num_pred, length)


def rows_by_frame(frames: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """Rows of each of the ``wanted`` frames (ascending, with all of ``frames`` among them), in the rows' order.

    Frames without rows may be left out of those wanted, so that a number of billions does not take the memory.
    """
    order = np.argsort(frames, kind="stable")
    return np.split(order, np.searchsorted(frames[order], wanted[1:]))


def _from_zero(ids: Sequence[np.ndarray]) -> tuple[list[np.ndarray], int]:
    together = np.concatenate([np.zeros(0, dtype=np.int64), *ids])
    names, index = np.unique(together, return_inverse=True)
    return np.split(index, np.cumsum([len(one) for one in ids])[:-1]), len(names)
