"""Separation of certain tracklets by a tracker's similarity.

The tracker is told who is who, and meets its own memory: what it compares is what it compares in tracking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from detectron2.structures import Instances
from scipy.optimize import minimize

from .continuity import meetings
from .heads import MemoryTracker
from .instances import InstancesDetections

# Difference of similarities that does not count.
_EQUAL = 1e-6


@dataclass(frozen=True)
class Clip:
    """Detections of a video with their certain tracklets.

    Attributes:
        frames: N_t detections of each of T frames, with the fields that trackers read.
        labels: (N_t,) int64 tracklet of each detection, or -1.
    """

    frames: Sequence[Instances]
    labels: Sequence[np.ndarray]


@dataclass(frozen=True)
class Separation:
    """Similarities of detections with remembered tracklets.

    Attributes:
        same: (P,) similarities of detections with their own tracklet.
        different: (Q,) similarities with tracklets that meet their own.
        right: (K,) share of the detections, of each tracklet that is compared with others, of which the own tracklet is
            the most similar.
        chance: (K,) share that chance would get right.
    """

    same: np.ndarray
    different: np.ndarray
    right: np.ndarray
    chance: np.ndarray


def separation(tracker: MemoryTracker, clips: Iterable[Clip], gap: int) -> Separation:
    """Separation of the tracklets of several videos, tracked at every ``gap``-th frame, from each of the first ones."""
    same, different, shares = [np.zeros(0)], [np.zeros(0)], [np.zeros((2, 0))]
    for clip in clips:
        met = meetings(clip.labels)
        sums = np.zeros((3, len(met)))  # right, by chance, compared
        for first in range(min(gap, len(clip.frames))):
            tracker.reset()
            for frame, label in zip(clip.frames[first::gap], clip.labels[first::gap]):
                own = label[label >= 0]
                certain = InstancesDetections(frame[torch.from_numpy(label >= 0)])
                similarity, known = tracker.follow(certain, own)
                is_same, is_other = own[:, None] == known, met[np.ix_(own, known)]
                same.append(similarity[is_same])
                different.append(similarity[is_other])
                compared = is_same.any(axis=1) & is_other.any(axis=1)
                candidates = np.where(is_same | is_other, similarity, -np.inf)[compared]
                best = candidates >= candidates.max(axis=1, initial=-np.inf, keepdims=True) - _EQUAL
                right = (best & is_same[compared]).sum(axis=1) / best.sum(axis=1)
                chance = 1 / (1 + is_other[compared].sum(axis=1))
                np.add.at(sums.T, own[compared], np.stack([right, chance, np.ones(len(right))], axis=1))
        shares.append(sums[:2, sums[2] > 0] / sums[2, sums[2] > 0])
    right, chance = np.concatenate(shares, axis=1)
    return Separation(np.concatenate(same), np.concatenate(different), right, chance)


def logistic_scale(same: np.ndarray, different: np.ndarray) -> float:
    """Scale of sigmoid(scale * (similarity - threshold)), fitted as the probability of "the same".

    It is Platt's fit (1999), whose smoothed targets keep the scale finite where the two do not overlap, with both kinds
    of pairs being equally probable. Similarities that are not finite are left out.

    Args:
        same, different: (P,) and (Q,) similarities, at least one finite one in all.
    """
    groups = [group[np.isfinite(group)].astype(float) for group in (same, different)]
    x = np.concatenate(groups)
    spread = max(float(x.std()), 1e-6)
    z = (x - x.mean()) / spread
    counts = np.array([len(group) for group in groups])
    target = np.repeat([(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)], counts)
    weight = np.repeat(0.5 / np.maximum(counts, 1), counts)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logit = parameters[0] * z + parameters[1]
        error = weight * (0.5 * (1 + np.tanh(0.5 * logit)) - target)
        return float((weight * (np.logaddexp(0, logit) - target * logit)).sum()), np.array([error @ z, error.sum()])

    # Where the same object looked less alike than others, the scale is 0.
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0, None), (None, None)])
    return float(found.x[0] / spread)
