"""Evidence from motion that one tracklet continues another, calibrated on the tracklets themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .certain_tracklets import Tracklet
from .log_odds import LogOdds, fit_log_odds

# Longest gap in frames; beyond it motion says nothing. Examples of each length of a gap.
MAX_GAP, _EXAMPLES = 64, 500


@dataclass(frozen=True)
class Motion:
    """Log-odds that an object that is gone at one place is the one that appears at another.

    Attributes:
        log_odds: Of the logarithm of the distance, and of the gap.
        size: Usual side of an object in pixels, the unit of distances.
    """

    log_odds: LogOdds
    size: float

    def __call__(self, before: np.ndarray, after: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        """(...) log-odds; 0 beyond :data:`MAX_GAP`.

        Args:
            before: (..., 2) centers x, y in pixels, last seen.
            after: (..., 2) centers where something appears.
            gaps: (...) frames between the two, at least 1.
        """
        near = (gaps >= 1) & (gaps <= MAX_GAP)
        gaps = np.clip(gaps, 1, MAX_GAP)
        distances = np.linalg.norm(after - before, axis=-1) / self.size
        return np.where(near, self.log_odds(_features(distances, gaps)), 0.0)


def fit_motion(tracklets: Sequence[Tracklet], centers: Sequence[np.ndarray], size: float) -> Motion | None:
    """Evidence from tracklets of which a few frames are hidden, against other objects after the same gap.

    Args:
        tracklets: Certain tracklets, not thinned.
        centers: (T_i, 2) centers x, y in pixels of each.
        size: Usual side of an object in pixels.

    Returns:
        None if no two tracklets meet.
    """
    by_frame: dict[int, tuple[list[int], list[np.ndarray]]] = {}
    for number, (tracklet, places) in enumerate(zip(tracklets, centers)):
        for frame, place in zip(tracklet.frames.tolist(), places):
            numbers, found = by_frame.setdefault(frame, ([], []))
            numbers.append(number)
            found.append(place)
    rng = np.random.default_rng(0)
    frames = np.array(sorted(by_frame))
    distances, gaps, same = [], [], []
    gap = 1
    while gap <= MAX_GAP and len(frames):
        starts = frames[np.isin(frames + gap, frames)]
        for start in rng.permutation(starts)[:_EXAMPLES].tolist():
            numbers, seen = by_frame[start]
            row = int(rng.integers(len(numbers)))
            after, places_after = by_frame[start + gap]
            if numbers[row] in after and len(after) > 1:
                distances.append(np.linalg.norm(np.stack(places_after) - seen[row], axis=1) / size)
                gaps.append(np.full(len(after), gap))
                same.append(np.array(after) == numbers[row])
        gap *= 2
    if not distances:
        return None
    features = _features(np.concatenate(distances), np.concatenate(gaps))
    return Motion(fit_log_odds(features, np.concatenate(same), len(distances)), size)


def _features(distances: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Distances are compared by their logarithm, so that a rare leap is not impossible."""
    far, doublings = np.broadcast_arrays(np.log(distances + 0.1), np.log2(gaps))
    return np.stack([far, far * doublings, doublings], axis=-1)
