"""Identities of tracklets with probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .evidence import Evidence
from .halves import HalvesTest

_DRAWS = 2000


@dataclass(frozen=True)
class Links:
    """Identities of T tracklets.

    Attributes:
        identities: (T,) int64, from 0; -1 for tracklets that are left open.
        probabilities: (T,) that the identity is right if all others are; of an open tracklet, of the likeliest.
        rivals: (T,) int64 identity that is the next likely, of an open tracklet the likeliest; -1: none, or one of its
            own.
    """

    identities: np.ndarray
    probabilities: np.ndarray
    rivals: np.ndarray

    @property
    def num_identities(self) -> int:
        return int(self.identities.max(initial=-1)) + 1


def weigh(evidence: Evidence, identities: np.ndarray, num_identities: int, *, closed: bool) -> Links:
    """Probability of each tracklet's identity against the alternatives.

    An alternative to identity k is another one, l. Tracklets of l that the tracklet meets would have to be k in its
    place, so that what counts is the exchange: the log-odds of all that change, before and after it.

    Args:
        evidence: Evidence.
        identities: (T,) int64 identity of each tracklet, -1 for none.
        num_identities: Number of identities, K.
        closed: Whether each tracklet is of one of these; else it may also be of none.
    """
    scores, known = evidence.scores(identities, num_identities)
    num = len(identities)
    probabilities, rivals = np.zeros(num), np.full(num, -1, dtype=np.int64)
    for tracklet in np.flatnonzero(identities >= 0).tolist():
        own = identities[tracklet]
        met = evidence.apart[tracklet] & (identities >= 0)
        losses = np.zeros(num_identities)  # of the tracklets that would have to change places
        np.add.at(losses, identities[met], scores[met, identities[met]] - scores[met, own])
        margins = scores[tracklet, own] - scores[tracklet] + losses
        margins[own] = np.inf
        alternatives = np.exp(-margins.clip(-50, 50))
        alternatives[own] = 0.0
        alone = not known[tracklet, own]
        if alone:
            # Two that are alone only exchange their names.
            alternatives[~known[tracklet]] = 0.0
        unknown = 0.0 if closed or alone else float(np.exp(-scores[tracklet, own]))
        probabilities[tracklet] = 1 / (1 + alternatives.sum() + unknown)
        if num_identities > 1 and alternatives.max() > unknown:
            rivals[tracklet] = int(alternatives.argmax())
    return Links(identities, probabilities, rivals)


def accuracy_of(links: Links, lengths: np.ndarray, halves: HalvesTest) -> tuple[float, float, float]:
    """Estimated share of the detections with an identity that have the right one, and its 95 % interval.

    The interval covers two things that are not known: how the tracklets turn out, each as likely right as it is
    probable, and how good the probabilities are, as far as the exact test's number of halves tells.

    Args:
        links: Identities.
        lengths: (T,) number of frames of each tracklet.
        halves: Exact test of the embedding.

    Returns:
        Estimate, low and high; NaN without any identity, or where the test is not conclusive.
    """
    known = links.identities >= 0
    if not known.any() or not halves.is_conclusive:
        return float("nan"), float("nan"), float("nan")
    shares, chances = lengths[known] / lengths[known].sum(), links.probabilities[known]
    estimate = float(shares @ chances)
    right = np.random.default_rng(0).random((_DRAWS, len(chances))) < chances
    drawn_low, drawn_high = np.quantile(right @ shares, [0.025, 0.975])
    low, high = halves.interval_of(estimate)
    return estimate, min(low, float(drawn_low)), max(high, float(drawn_high))


def leave_open(links: Links, threshold: float) -> Links:
    """The same links, without the identity of tracklets of a lower probability; identities are counted anew."""
    kept = np.unique(links.identities[(links.identities >= 0) & (links.probabilities >= threshold)])
    numbers = np.full(links.num_identities + 1, -1)  # the last one is that of -1
    numbers[kept] = np.arange(len(kept))
    identities = np.where(links.probabilities >= threshold, links.identities, -1)
    rivals = np.where(identities >= 0, links.rivals, links.identities)
    return Links(numbers[identities], links.probabilities, numbers[rivals])
