"""Identities of tracklets in a closed set: every tracklet is one of N objects, and those that meet are different."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from .certain_tracklets import Tracklet
from .crop_encoder import groups_by_frame

_ROUNDS = 10


def assign_identities(tracklets: Sequence[Tracklet], means: np.ndarray, num_instances: int) -> np.ndarray:
    """(T,) int64 identity of each tracklet, from 0 to ``num_instances`` - 1; -1 where every identity is taken.

    The frame whose N tracklets are longest founds the identities. All others get, the most certain first, the nearest
    identity that no tracklet has which they meet; then the identities' embeddings become the means of their tracklets,
    weighted by their lengths, until nothing changes.

    Args:
        tracklets: Tracklets.
        means: (T, D) unit vectors, their mean embeddings.
        num_instances: N.

    Raises:
        ValueError: If there is never a frame with N tracklets, or one with more.
    """
    groups = {frame: members for frame, members in groups_by_frame(tracklets).items() if len(members) >= num_instances}
    most = max((len(members) for members in groups.values()), default=0)
    if num_instances == 1 and tracklets:
        groups, most = {0: [max(range(len(tracklets)), key=lambda i: len(tracklets[i]))]}, 1
    if most > num_instances:
        raise ValueError(f"--num-instances {num_instances}: there are frames with {most} objects")
    if not groups:
        raise ValueError(f"--num-instances {num_instances}: no frame shows that many objects apart from each other")
    founders = max(groups.values(), key=lambda members: min(len(tracklets[i]) for i in members))
    first, last = (np.array([x.frames[side] for x in tracklets]) for side in (0, -1))
    meeting = [np.flatnonzero((first <= x.frames[-1]) & (last >= x.frames[0])) for x in tracklets]
    centers = means[founders]
    identities = np.full(len(tracklets), -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        assigned = _assign(means @ centers.T, founders, meeting)
        if (assigned == identities).all():
            break
        identities = assigned
        weights = np.array([len(x) for x in tracklets], dtype=float)
        sums = np.stack([(means * weights[:, None])[identities == k].sum(axis=0) for k in range(num_instances)])
        centers = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return identities


def _assign(similarity: np.ndarray, founders: Sequence[int], meeting: Sequence[np.ndarray]) -> np.ndarray:
    """Identity (T,) of each tracklet, the most certain first; -1 where every identity is taken.

    Args:
        similarity: (T, N) similarity of tracklets and identities.
        founders: Tracklets of the identities, in their order.
        meeting: Tracklets that share a frame with each, itself included.
    """
    identities = np.full(len(similarity), -1, dtype=np.int64)
    identities[list(founders)] = np.arange(len(founders))
    waiting: list[tuple[float, int, int]] = []  # minus the lead over the second nearest identity, tracklet, identity

    def propose(tracklet: int) -> None:
        free = np.setdiff1d(np.arange(similarity.shape[1]), identities[meeting[tracklet]])
        if len(free):
            order = free[np.argsort(-similarity[tracklet, free], kind="stable")]
            second = similarity[tracklet, order[1]] if len(order) > 1 else -1.0
            heapq.heappush(waiting, (float(second - similarity[tracklet, order[0]]), tracklet, int(order[0])))

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
