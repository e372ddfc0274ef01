"""Evidence that tracklets which never meet are one object, where objects come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from .appearance import examples_of_halves, num_trials, unit_mean, windows
from .halves import Cut
from .log_odds import LogOdds, fit_log_odds

# Added to one minus the cosine, whose logarithm is compared: differences below it are those of one object's crops.
_NEARLY_EQUAL = 0.02
# Shares of the halves' pairs that are above a threshold, for which the same is counted of the pairs that never meet.
_ABOVE = np.linspace(0.95, 0.5, 10)
# Bounds of the share of pairs that are one object, and the largest that counts as known beforehand.
_SHARES, _MOST_BEFOREHAND = (0.005, 0.995), 0.5
# Largest number of pairs that are looked at.
_MAX_PAIRS = 2000


@dataclass(frozen=True)
class Reappearance:
    """Log-odds that two tracklets that never meet are one object, from the cosine of their mean embeddings and the
    shorter length.

    They count how rare that is: with many objects, two tracklets seldom are one.

    Attributes:
        log_odds: Of the features of a pair, one object as likely as two beforehand.
        share: Share of the pairs that are one object.
        longest: Number of frames beyond which longer tracklets are not more certain: of the longest half.
    """

    log_odds: LogOdds
    share: float
    longest: int

    def __call__(self, cosines: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """(...) log-odds.

        Args:
            cosines: (...) cosines of mean embeddings.
            lengths: (...) number of frames of the shorter one.
        """
        return self.log_odds(_features(cosines, lengths, self.longest)) + logit(self.share)


def fit_reappearance(
    halves: Sequence[np.ndarray], cuts: Sequence[Cut], embeddings: Sequence[np.ndarray], meet: np.ndarray
) -> Reappearance | None:
    """Evidence from the halves of cut tracklets, and from the pairs of tracklets that never meet.

    Which of these pairs are one object is not known. Their cosines are a mixture of those of one object, which the
    halves show, and those of two (positive and unlabeled learning). The share of the former is at most the share of the
    pairs above a threshold over that of the halves above it, for every threshold; the smallest such bound is taken, as
    Blanchard, Lee and Scott do (JMLR 2010). Objects that meet do not show what two are like: the training has pushed
    them apart.

    Args:
        halves: (T_i, D) unit vectors of each part.
        cuts: Cuts of :func:`cut_in_halves`.
        embeddings: (T_i, D) unit vectors of each of T tracklets.
        meet: (T, T) bool, which of them share a frame.

    Returns:
        None if there is no cut.
    """
    if not cuts:
        return None
    shown_cosines, shown_lengths, same = examples_of_halves(halves, cuts)
    cosines, lengths, pairs, is_whole = _examples_of_pairs(embeddings, meet)
    longest = int(shown_lengths.max())
    lengths = np.minimum(np.concatenate([shown_lengths, lengths]), longest)
    features = _features(np.concatenate([shown_cosines, cosines]), lengths, longest)
    is_one = np.concatenate([same, np.zeros(len(pairs), dtype=bool)])
    octaves = np.log2(lengths).astype(int)
    # A cut's pairs of different tracklets weigh as many pairs, not as all the windows in which they are compared.
    num_shown = sum(len(x.first) * (len(x.first) - 1) for x in cuts)
    shares = np.concatenate([np.where(same, 1, num_shown / max((~same).sum(), 1)), 1 / np.bincount(pairs)[pairs]])
    asked = slice(len(same), None)
    weights = _balanced(shares, octaves, is_one)
    # As many trials as rows: nothing is to keep these odds from being certain, which only order the pairs.
    order = fit_log_odds(features, is_one, len(is_one), weights)(features)
    share = _share(order[: len(same)][same], weights[: len(same)][same], order[asked], weights[asked])
    chances = _chances(order[asked][is_whole], share)
    weights = _balanced(np.append(shares[: len(same)], shares[asked] * (1 - chances[pairs])), octaves, is_one)
    log_odds = fit_log_odds(features, is_one, num_trials(cuts), weights)
    return Reappearance(log_odds, min(share, _MOST_BEFOREHAND), longest)


def _share(of_one: np.ndarray, weights_of_one: np.ndarray, of_pairs: np.ndarray, weights_of_pairs: np.ndarray) -> float:
    """Share of pairs that are one object, from how alike those are that certainly are, and all pairs, with weights."""
    if not weights_of_pairs.sum():
        return _MOST_BEFOREHAND
    least_first = np.argsort(of_one)
    below = np.cumsum(weights_of_one[least_first]) / weights_of_one.sum()
    bounds = []
    for above in _ABOVE:
        threshold = of_one[least_first][np.searchsorted(below, 1 - above)]
        bounds.append(np.average(of_pairs >= threshold, weights=weights_of_pairs) / above)
    return float(np.clip(min(bounds), *_SHARES))


def _chances(of_pairs: np.ndarray, share: float) -> np.ndarray:
    """Probability of each pair to be one object, the likelier, the more alike, with ``share`` as their mean."""
    if not len(of_pairs):
        return of_pairs
    reach = 50 + float(np.abs(of_pairs).max())
    shift = brentq(lambda x: expit(of_pairs + x).mean() - share, -reach, reach)
    return expit(of_pairs + shift)


def _examples_of_pairs(
    embeddings: Sequence[np.ndarray], meet: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Windows of the shorter tracklet of each pair against the whole longer one: (N,) cosines, (N,) lengths of the
    windows, (N,) int64 number of the pair, and (N,) bool whether the window is the whole tracklet."""
    sizes = np.array([len(x) for x in embeddings])
    ones, others = np.nonzero(np.triu(~meet, 1))
    drawn = np.random.default_rng(0).permutation(len(ones))[:_MAX_PAIRS]
    shorter, longer = np.where(sizes[ones] <= sizes[others], (ones, others), (others, ones))[:, drawn]
    parts = [list(windows(x)) for x in embeddings]
    vectors = [np.stack([unit_mean(window) for window in x]) for x in parts]
    counts = [np.array([len(window) for window in x]) for x in parts]
    none = np.zeros(0)
    cosines = np.concatenate([none, *(vectors[i] @ vectors[j][-1] for i, j in zip(shorter, longer))])
    lengths = np.concatenate([none, *(counts[i] for i in shorter)])
    pairs = np.repeat(np.arange(len(shorter)), [len(parts[i]) for i in shorter])
    return cosines, lengths, pairs, np.append(np.diff(pairs) > 0, True)[: len(pairs)]


def _balanced(weights: np.ndarray, octaves: np.ndarray, is_one: np.ndarray) -> np.ndarray:
    """Weights with which both kinds have equal sums in each octave of lengths, so that only cosines tell them apart."""
    sums = np.stack([np.bincount(octaves, weights * kind, minlength=octaves.max() + 1) for kind in (is_one, ~is_one)])
    wanted = sums.min(axis=0)
    factors = wanted / np.where(sums > 0, sums, 1)
    return weights * np.where(is_one, factors[0][octaves], factors[1][octaves])


def _features(cosines: np.ndarray, lengths: np.ndarray, longest: int) -> np.ndarray:
    cosines, doublings = np.broadcast_arrays(cosines, np.log2(np.minimum(lengths, longest)))
    nearness = -np.log(np.maximum(1 - cosines, 0) + _NEARLY_EQUAL)
    return np.stack([nearness, nearness * doublings, doublings], axis=-1)
