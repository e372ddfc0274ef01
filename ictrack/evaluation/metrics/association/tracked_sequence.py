"""What the association metrics (HOTA, CLEAR MOT, Identity) are computed of: who is in each frame, and how similar.

Nothing here knows whether the similarity is that of masks, boxes or keypoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

Count = TypeVar("Count", float, np.ndarray)


@dataclass(frozen=True)
class SimilarPairs:
    """The P pairs of a ground truth and a detection whose similarity is not zero, frame by frame, row by row.

    Attributes:
        frame: (P,) rising.
        truth: (P,) ground-truth identities.
        track: (P,) predicted identities.
        similarity: (P,) in (0, 1].
    """

    frame: np.ndarray
    truth: np.ndarray
    track: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, index: np.ndarray | slice) -> SimilarPairs:
        """The pairs at positions, or where a mask is true."""
        return SimilarPairs(self.frame[index], self.truth[index], self.track[index], self.similarity[index])

    @staticmethod
    def concatenate(parts: Sequence[SimilarPairs]) -> SimilarPairs:
        """All pairs of at least one part."""
        return SimilarPairs(
            *(np.concatenate([getattr(p, name) for p in parts]) for name in ("frame", "truth", "track", "similarity"))
        )


@dataclass(frozen=True)
class TrackedSequence:
    """One class of one video: who is in each frame, and how similar they are.

    Attributes:
        truth_ids: per frame (G_t,) indices 0 ... num_truth - 1.
        track_ids: per frame (D_t,) indices 0 ... num_tracks - 1.
        similarity: per frame (G_t, D_t) in [0, 1].
        num_truth: ground-truth tracks that are in some frame.
        num_tracks: predicted tracks that are in some frame.
    """

    truth_ids: Sequence[np.ndarray]
    track_ids: Sequence[np.ndarray]
    similarity: Sequence[np.ndarray]
    num_truth: int
    num_tracks: int

    @classmethod
    def of_pairs(
        cls,
        truth_ids: Sequence[np.ndarray],
        track_ids: Sequence[np.ndarray],
        pairs: SimilarPairs,
        num_truth: int,
        num_tracks: int,
    ) -> TrackedSequence:
        """A sequence of which all pairs that are similar are known; ids rise in each frame."""
        sequence = cls(truth_ids, track_ids, _PairSimilarity(truth_ids, track_ids, pairs), num_truth, num_tracks)
        vars(sequence)["pairs"] = pairs  # where the cached property looks first
        return sequence

    def __len__(self) -> int:
        return len(self.truth_ids)

    @cached_property
    def truth_frames(self) -> np.ndarray:
        """Number of frames that each ground truth is in, (num_truth,)."""
        return _occurrences(self.truth_ids, self.num_truth)

    @cached_property
    def track_frames(self) -> np.ndarray:
        """Number of frames that each predicted track is in, (num_tracks,)."""
        return _occurrences(self.track_ids, self.num_tracks)

    @cached_property
    def pairs(self) -> SimilarPairs:
        """The pairs that are similar at all.

        Raises:
            ValueError: a similarity is not of the frame's shape, or no number in [0, 1].
        """
        parts = []
        for frame, (truth, tracks, similarity) in enumerate(zip(self.truth_ids, self.track_ids, self.similarity)):
            if similarity.shape != (len(truth), len(tracks)):
                raise ValueError(
                    f"the similarity of frame {frame} is of the shape {similarity.shape}, "
                    f"not {(len(truth), len(tracks))}"
                )
            if similarity.size:
                rows, columns = np.nonzero(similarity)
                if len(rows):
                    parts.append((frame, truth[rows], tracks[columns], similarity[rows, columns]))
        if not parts:
            nobody = np.zeros(0, dtype=np.int64)
            return SimilarPairs(nobody, nobody, nobody, np.zeros(0))
        frames, truths, tracks_, similarities = zip(*parts)
        values = np.concatenate(similarities)
        # Written so that NaN fails; rounding may take a sum of similarities a little above 1.
        if not (values.min() >= 0 and values.max() <= 1 + 1e-9):
            raise ValueError("a similarity must be a number from 0 to 1")
        return SimilarPairs(
            np.repeat(frames, [len(part) for part in similarities]),
            np.concatenate(truths),
            np.concatenate(tracks_),
            values,
        )


class _PairSimilarity(Sequence[np.ndarray]):
    """The similarities (G_t, D_t) of each frame, made of the pairs where they are asked for, which few are."""

    def __init__(self, truth_ids: Sequence[np.ndarray], track_ids: Sequence[np.ndarray], pairs: SimilarPairs) -> None:
        self._truth_ids, self._track_ids, self._pairs = truth_ids, track_ids, pairs
        self._limits = np.searchsorted(pairs.frame, np.arange(len(truth_ids) + 1)).tolist()

    def __len__(self) -> int:
        return len(self._truth_ids)

    def __getitem__(self, frame: Any) -> Any:
        truth, tracks = self._truth_ids[frame], self._track_ids[frame]
        pairs = slice(self._limits[frame], self._limits[frame + 1])
        similarity = np.zeros((len(truth), len(tracks)))
        rows = np.searchsorted(truth, self._pairs.truth[pairs])
        similarity[rows, np.searchsorted(tracks, self._pairs.track[pairs])] = self._pairs.similarity[pairs]
        return similarity


def sum_counts(counts: Iterable[Mapping[str, Count]]) -> dict[str, Count]:
    """Counts of several sequences or classes together."""
    total: dict[str, Count] = {}
    for one in counts:
        for key, value in one.items():
            total[key] = total[key] + value if key in total else value
    return total


def has_repeats(keys: np.ndarray) -> np.ndarray:
    """Whether each of the non-negative integers (P,) occurs more than once, (P,) bool."""
    return np.bincount(keys)[keys] > 1


def _occurrences(ids: Sequence[np.ndarray], count: int) -> np.ndarray:
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    return np.bincount(np.concatenate(ids), minlength=count)
