"""Evidence on which tracklets are one object: certain exclusions, appearance and motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from .appearance import Appearance
from .certain_tracklets import Tracklet
from .motion import Motion
from .reappearance import Reappearance

# Log-odds beyond which evidence is not believed: no measurement on one video is that certain.
_LIMIT = 12.0


class Evidence:
    """Log-odds that tracklets are one object.

    Naming convention:
        T: tracklets, K: identities, D: embedding dimension

    Attributes:
        tracklets: T tracklets.
        lengths: (T,) number of frames of each.
        means: (T, D) unit vectors, their mean embeddings.
        apart: (T, T) bool, whether two are certainly different; False on the diagonal.
    """

    def __init__(
        self,
        tracklets: Sequence[Tracklet],
        means: np.ndarray,
        appearance: Appearance | Reappearance,
        *,
        motion: Motion | None = None,
        first: np.ndarray | None = None,
        last: np.ndarray | None = None,
        different: Sequence[tuple[int, int]] = (),
    ) -> None:
        """
        Args:
            tracklets, means: See the class.
            appearance: Calibrated evidence from embeddings.
            motion: Calibrated evidence from places; None: places say nothing.
            first, last: (T, 2) centers x, y in pixels in the first and in the last frame, for ``motion``.
            different: Pairs of tracklets that are certainly different, beyond those that share a frame.
        """
        self.tracklets = list(tracklets)
        self.lengths = np.array([len(x) for x in tracklets], dtype=float)
        self.means = means
        self.apart = meetings(tracklets)
        for i, j in different:
            self.apart[i, j] = self.apart[j, i] = True
        self._appearance = appearance
        begins, ends = (np.array([x.frames[side] for x in tracklets]) for side in (0, -1))
        self._begins, self._ends = begins, ends
        self._follows = np.zeros((len(tracklets), len(tracklets)))  # log-odds that the column continues the row
        if motion is not None and first is not None and last is not None:
            gaps = begins[None, :] - ends[:, None]
            self._follows = motion(last[:, None], first[None, :], gaps).clip(-_LIMIT, _LIMIT)

    def pairs(self) -> np.ndarray:
        """(T, T) log-odds of each pair."""
        shorter = np.minimum(self.lengths[:, None], self.lengths)
        looks = self._appearance(self.means @ self.means.T, shorter)
        return looks.clip(-_LIMIT, _LIMIT) + self._follows + self._follows.T

    def scores(self, identities: np.ndarray, num_identities: int) -> tuple[np.ndarray, np.ndarray]:
        """(T, K) log-odds that a tracklet is of an identity, 0 where nothing is known of it, and (T, K) bool whether
        something is.

        What counts are the identity's other tracklets that the tracklet does not meet: if it is of that identity, those
        that it meets are not.

        Args:
            identities: (T,) int64 identity of each tracklet, -1 for none.
            num_identities: K.
        """
        shape = (len(self.tracklets), num_identities)
        scores, known = np.zeros(shape), np.zeros(shape, dtype=bool)
        excluded = (self.apart | np.eye(len(self.tracklets), dtype=bool)).astype(float)
        for identity in range(num_identities):
            weights = np.where(identities == identity, self.lengths, 0.0)
            counts = weights.sum() - excluded @ weights
            weighted = weights[:, None] * self.means
            sums = weighted.sum(axis=0) - excluded @ weighted  # (T, D)
            norms = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
            cosines = (self.means * sums).sum(axis=1) / norms
            looks = self._appearance(cosines, np.clip(counts, 1, self.lengths))
            known[:, identity] = counts > 0.5
            scores[:, identity] = np.where(known[:, identity], looks.clip(-_LIMIT, _LIMIT), 0.0)
            scores[:, identity] += self._motion_to(np.flatnonzero(identities == identity))
        return scores, known

    def begin(self, members: np.ndarray) -> int:
        """First frame of the tracklets of a mask (T,)."""
        return int(self._begins[members].min())

    def _motion_to(self, members: np.ndarray) -> np.ndarray:
        """(T,) log-odds by motion that a tracklet lies between its neighbors in time among ``members``."""
        if not len(members):
            return np.zeros(len(self.lengths))
        gains = np.zeros(len(self.lengths))
        tracklets = np.arange(len(gains))
        by_end = members[np.argsort(self._ends[members], kind="stable")]
        place = np.searchsorted(self._ends[by_end], self._begins) - 1
        before = by_end[np.maximum(place, 0)]
        gains += np.where(place >= 0, self._follows[before, tracklets], 0.0)
        by_begin = members[np.argsort(self._begins[members], kind="stable")]
        place = np.searchsorted(self._begins[by_begin], self._ends, side="right")
        after = by_begin[np.minimum(place, len(by_begin) - 1)]
        gains += np.where(place < len(by_begin), self._follows[tracklets, after], 0.0)
        return gains


def meetings(tracklets: Sequence[Tracklet]) -> np.ndarray:
    """(T, T) bool: which tracklets share a frame; False on the diagonal."""
    frames = np.concatenate([x.frames for x in tracklets]) if tracklets else np.zeros(0, dtype=np.int64)
    rows = np.repeat(np.arange(len(tracklets)), [len(x) for x in tracklets])
    columns = np.unique(frames, return_inverse=True)[1]
    shape = (len(tracklets), int(columns.max(initial=-1)) + 1)
    seen = csr_array((np.ones(len(rows), dtype=np.int32), (rows, columns)), shape=shape)
    met = (seen @ seen.T).toarray() > 0
    np.fill_diagonal(met, False)
    return met
