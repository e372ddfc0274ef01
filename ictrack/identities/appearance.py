"""Evidence from appearance that two tracklets are one object, calibrated on tracklets that are known to be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .crop_encoder import TEMPERATURE
from .halves import Cut
from .log_odds import LogOdds, fit_log_odds

# Number of frames beyond which longer tracklets are not more certain, and windows of each length of each half.
_LONGEST, _WINDOWS = 64, 4


@dataclass(frozen=True)
class Appearance:
    """Log-odds that two tracklets are one object, from the cosine of their mean embeddings and the shorter length."""

    log_odds: LogOdds

    def __call__(self, cosines: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(...) log-odds.

        Args:
            cosines: (...) cosines of mean embeddings.
            lengths: (...) number of frames of the shorter one.
        """
        return self.log_odds(_features(cosines, lengths))


def assumed_appearance() -> Appearance:
    """Evidence where there is nothing to calibrate it with: cosines at the temperature of the training, even at 0.5."""
    return Appearance(LogOdds(np.array([1 / TEMPERATURE, 0.0, 0.0]), -0.5 / TEMPERATURE))


def fit_appearance(embeddings: Sequence[np.ndarray], cuts: Sequence[Cut]) -> Appearance | None:
    """Evidence from the halves of cut tracklets, of which the training did not know that they belong together.

    Windows of one half are compared with the whole other halves of its cut, as a short tracklet is with what is known
    of an identity.

    Args:
        embeddings: (T_i, D) unit vectors of each part.
        cuts: Cuts of :func:`cut_in_halves`.

    Returns:
        None if there is no cut.
    """
    if not cuts:
        return None
    cosines, lengths, same = examples_of_halves(embeddings, cuts)
    return Appearance(fit_log_odds(_features(cosines, lengths), same, num_trials(cuts)))


def examples_of_halves(embeddings: Sequence[np.ndarray], cuts: Sequence[Cut]) -> tuple[np.ndarray, ...]:
    """(N,) cosines, (N,) numbers of frames of the shorter one, and (N,) bool whether both are of one tracklet."""
    cosines, lengths, same = [], [], []
    for cut in cuts:
        for ones, others in ((cut.first, cut.second), (cut.second, cut.first)):
            whole = np.stack([unit_mean(embeddings[index]) for index in others])
            for row, index in enumerate(ones):
                parts = list(windows(embeddings[index]))
                cosines.append(np.stack([unit_mean(part) for part in parts]) @ whole.T)
                lengths.append(np.repeat([[len(part)] for part in parts], len(others), axis=1))
                same.append(np.broadcast_to(np.arange(len(others)) == row, cosines[-1].shape))
    return tuple(np.concatenate([array.ravel() for array in arrays]) for arrays in (cosines, lengths, same))


def num_trials(cuts: Sequence[Cut]) -> int:
    """Number of independent examples in cuts: of tracklets that were cut."""
    return sum(len(cut.first) for cut in cuts)


def unit_mean(embeddings: np.ndarray) -> np.ndarray:
    """(D,) unit vector, the mean of (T, D) embeddings."""
    mean = embeddings.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def windows(embeddings: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of it, of a frame, of 2, 4, ..., spread over its time, and all of it."""
    length = 1
    while length <= min(len(embeddings), _LONGEST):
        for start in np.unique(np.linspace(0, len(embeddings) - length, _WINDOWS).astype(int)):
            yield embeddings[start : start + length]
        length *= 2
    yield embeddings


def _features(cosines: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    cosines, doublings = np.broadcast_arrays(cosines, np.log2(np.minimum(lengths, _LONGEST)))
    return np.stack([cosines, cosines * doublings, doublings], axis=-1)
