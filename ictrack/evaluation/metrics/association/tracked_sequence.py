"""Input of the association metrics (HOTA, CLEAR MOT, Identity): identities in each frame, and their similarities.

The similarity may be one of masks, boxes or keypoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class SimilarPairs:
    """Pairs of a ground truth and a detection with similarity above 0, frame by frame, row by row.

    Attributes:
        frame: (P,) frame indices, ascending.
        gt: (P,) ground-truth identities.
        pred: (P,) predicted identities.
        similarity: (P,) similarities in (0, 1].
    """

    frame: np.ndarray
    gt: np.ndarray
    pred: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: np.ndarray | slice) -> SimilarPairs:
        """Pairs at positions, or where a mask is true."""
        return SimilarPairs(self.frame[index], self.gt[index], self.pred[index], self.similarity[index])

    @staticmethod
    def concatenate(parts: Sequence[SimilarPairs]) -> SimilarPairs:
        """Pairs of all parts, of which there is at least one."""
        return SimilarPairs(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ("frame", "gt", "pred", "similarity"))
        )


@dataclass(frozen=True)
class TrackedSequence:
    """Identities of one class in one video, frame by frame, and their similarities.

    Attributes:
        gt_ids: Indices 0 ... num_gt - 1, (G_t,) for each frame.
        pred_ids: Indices 0 ... num_pred - 1, (D_t,) for each frame.
        similarity: Similarities in [0, 1], (G_t, D_t) for each frame.
        num_gt: Number of ground-truth tracks that are in some frame.
        num_pred: Number of predicted tracks that are in some frame.
        length: Number of frames of the video, of which those without objects may be missing here; None: none is.
    """

    gt_ids: Sequence[np.ndarray]
    pred_ids: Sequence[np.ndarray]
    similarity: Sequence[np.ndarray]
    num_gt: int
    num_pred: int
    length: int | None = None

    @classmethod
    def of_pairs(
        cls,
        gt_ids: Sequence[np.ndarray],
        pred_ids: Sequence[np.ndarray],
        pairs: SimilarPairs,
        num_gt: int,
        num_pred: int,
    ) -> TrackedSequence:
        """Sequence from its pairs with similarity above 0; ids ascend in each frame."""
        sequence = cls(gt_ids, pred_ids, _PairSimilarity(gt_ids, pred_ids, pairs), num_gt, num_pred)
        vars(sequence)["pairs"] = pairs  # where the cached property looks first
        return sequence

    def __len__(self) -> int:
        return len(self.gt_ids)

    @cached_property
    def gt_frames(self) -> np.ndarray:
        """Number of frames that each ground truth is in, (num_gt,)."""
        return _occurrences(self.gt_ids, self.num_gt)

    @cached_property
    def pred_frames(self) -> np.ndarray:
        """Number of frames that each predicted track is in, (num_pred,)."""
        return _occurrences(self.pred_ids, self.num_pred)

    @cached_property
    def pairs(self) -> SimilarPairs:
        """Pairs with similarity above 0.

        Raises:
            ValueError: a similarity is not of the frame's shape, or no number in [0, 1].
        """
        parts = []
        for frame, (gt, pred, similarity) in enumerate(zip(self.gt_ids, self.pred_ids, self.similarity)):
            if similarity.shape != (len(gt), len(pred)):
                raise ValueError(
                    f"the similarity of frame {frame} is of the shape {similarity.shape}, not {(len(gt), len(pred))}"
                )
            if similarity.size:
                rows, columns = np.nonzero(similarity)
                if len(rows):
                    parts.append((frame, gt[rows], pred[columns], similarity[rows, columns]))
        if not parts:
            empty = np.zeros(0, dtype=np.int64)
            return SimilarPairs(empty, empty, empty, np.zeros(0))
        frames, gts, preds, similarities = zip(*parts)
        values = np.concatenate(similarities)
        # Written so that NaN fails; rounding may take a sum of similarities a little above 1.
        if not (values.min() >= 0 and values.max() <= 1 + 1e-9):
            raise ValueError("a similarity must be a number from 0 to 1")
        return SimilarPairs(
            np.repeat(frames, [len(part) for part in similarities]),
            np.concatenate(gts),
            np.concatenate(preds),
            values,
        )


class _PairSimilarity(Sequence[np.ndarray]):
    """Similarities (G_t, D_t) of each frame, made of the pairs on access, which few frames need."""

    def __init__(self, gt_ids: Sequence[np.ndarray], pred_ids: Sequence[np.ndarray], pairs: SimilarPairs) -> None:
        self._gt_ids, self._pred_ids, self._pairs = gt_ids, pred_ids, pairs
        self._limits = np.searchsorted(pairs.frame, np.arange(len(gt_ids) + 1)).tolist()

    def __len__(self) -> int:
        return len(self._gt_ids)

    def __getitem__(self, frame: Any) -> Any:
        gt, pred = self._gt_ids[frame], self._pred_ids[frame]
        pairs = slice(self._limits[frame], self._limits[frame + 1])
        similarity = np.zeros((len(gt), len(pred)))
        rows = np.searchsorted(gt, self._pairs.gt[pairs])
        similarity[rows, np.searchsorted(pred, self._pairs.pred[pairs])] = self._pairs.similarity[pairs]
        return similarity


def has_repeats(keys: np.ndarray) -> np.ndarray:
    """Mask (P,) of the non-negative integers (P,) that occur more than once."""
    return np.bincount(keys)[keys] > 1


def _occurrences(ids: Sequence[np.ndarray], count: int) -> np.ndarray:
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    return np.bincount(np.concatenate(ids), minlength=count)
