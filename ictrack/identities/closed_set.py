"""Identities of tracklets in a closed set: every tracklet is one of N objects, and those that meet are different."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from .crop_encoder import groups_by_frame
from .evidence import Evidence
from .links import Links, weigh

_ROUNDS = 10


def link_closed(evidence: Evidence, num_instances: int) -> Links:
    """Identities from 0 to ``num_instances`` - 1; -1 where every identity is taken.

    The frame whose N tracklets are longest founds the identities. All others get, the most certain first, the likeliest
    identity that no tracklet has which they meet; then the same with what is known of the identities, until nothing
    changes.

    Raises:
        ValueError: If there is never a frame with N tracklets, or one with more.
    """
    tracklets = evidence.tracklets
    groups = {frame: members for frame, members in groups_by_frame(tracklets).items() if len(members) >= num_instances}
    most = max((len(members) for members in groups.values()), default=0)
    if num_instances == 1 and tracklets:
        groups, most = {0: [max(range(len(tracklets)), key=lambda i: len(tracklets[i]))]}, 1
    if most > num_instances:
        raise ValueError(f"--num-instances {num_instances}: there are frames with {most} objects")
    if not groups:
        raise ValueError(f"--num-instances {num_instances}: no frame shows that many objects apart from each other")
    founders = max(groups.values(), key=lambda members: min(len(tracklets[i]) for i in members))
    meeting = [np.append(np.flatnonzero(row), i) for i, row in enumerate(evidence.apart)]
    identities = np.full(len(tracklets), -1, dtype=np.int64)
    identities[founders] = np.arange(num_instances)
    for _ in range(_ROUNDS):
        assigned = _assign(evidence.scores(identities, num_instances)[0], founders, meeting)
        if (assigned == identities).all():
            break
        identities = assigned
    return weigh(evidence, identities, num_instances, closed=True)


def _assign(scores: np.ndarray, founders: Sequence[int], meeting: Sequence[np.ndarray]) -> np.ndarray:
    """Identity (T,) of each tracklet, the most certain first; -1 where every identity is taken.

    Args:
        scores: (T, N) log-odds of tracklets and identities.
        founders: Tracklets of the identities, in their order.
        meeting: Tracklets that share a frame with each, itself included.
    """
    identities = np.full(len(scores), -1, dtype=np.int64)
    identities[list(founders)] = np.arange(len(founders))
    waiting: list[tuple[float, int, int]] = []  # minus the lead over the second likeliest identity, tracklet, identity

    def propose(tracklet: int) -> None:
        free = np.setdiff1d(np.arange(scores.shape[1]), identities[meeting[tracklet]])
        if len(free):
            order = free[np.argsort(-scores[tracklet, free], kind="stable")]
            lead = scores[tracklet, order[0]] - scores[tracklet, order[1]] if len(order) > 1 else np.inf
            heapq.heappush(waiting, (-float(lead), tracklet, int(order[0])))

    for tracklet in np.flatnonzero(identities < 0).tolist():
        propose(tracklet)
    while waiting:
        _, tracklet, identity = heapq.heappop(waiting)
        if identities[tracklet] >= 0 or identity in identities[meeting[tracklet]]:
            continue  # proposed before a tracklet that it meets got the identity
        identities[tracklet] = identity
        for other in meeting[tracklet].tolist():
            if identities[other] < 0:
                propose(other)
    return identities
