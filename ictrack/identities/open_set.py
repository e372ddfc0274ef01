"""Identities of tracklets whose number is not known: objects come and go, and may come back."""

from __future__ import annotations

import numpy as np

from .evidence import Evidence
from .links import Links, weigh

# Smallest probability of a join, against all that it would rule out.
MIN_PROBABILITY = 0.5


def link_open(evidence: Evidence) -> Links:
    """Identities from 0, in the order in which they are first seen.

    Groups of tracklets are joined, the likeliest pair first, as long as the join is more likely than all others that it
    would rule out together: those of either group with a group that the other one meets.
    """
    count = len(evidence.tracklets)
    identities = np.arange(count)
    apart = evidence.apart.copy()
    scores = np.where(apart, -np.inf, evidence.pairs())
    np.fill_diagonal(scores, -np.inf)
    refused = np.zeros_like(apart)
    while count > 1:
        candidates = np.where(refused, -np.inf, scores)
        one, two = divmod(int(candidates.argmax()), len(scores))
        if candidates[one, two] <= 0:
            break
        ruled_out = np.exp(scores[one, apart[two]]).sum() + np.exp(scores[two, apart[one]]).sum()
        weight = np.exp(scores[one, two])
        if weight < MIN_PROBABILITY * (1 + weight + ruled_out):
            refused[one, two] = refused[two, one] = True
            continue
        identities[identities == two] = one
        apart[one] |= apart[two]
        apart[:, one] |= apart[:, two]
        scores[two] = scores[:, two] = -np.inf
        merged = evidence.scores(np.where(identities == one, 0, -1), 1)[0][:, 0]  # of every tracklet with the group
        for other in np.unique(identities[identities != one]).tolist():
            # The mean over the group's tracklets, by their lengths: its long ones are known best.
            of_other = identities == other
            score = float(np.average(merged[of_other], weights=evidence.lengths[of_other]))
            scores[one, other] = scores[other, one] = -np.inf if apart[one, other] else score
        refused[one] = refused[:, one] = False
    _, identities = np.unique(identities, return_inverse=True)
    order = np.argsort([evidence.begin(identities == k) for k in range(identities.max(initial=-1) + 1)], kind="stable")
    identities = np.argsort(order)[identities]
    return weigh(evidence, identities, len(order), closed=False)
