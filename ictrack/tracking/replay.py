"""Replay of a tracker on clips with certain tracklets: how well its identities agree with what is certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from detectron2.structures import Instances

from .continuity import meetings
from .heads import MemoryTracker
from .separation import Clip


def replay(tracker: MemoryTracker, clip: Clip, stride: int) -> tuple[float, int]:
    """Agreement of a tracker's identities with a clip's tracklets, at every ``stride``-th frame.

    Returns:
        Sums of :func:`certain_agreement` over the ``stride`` sparse clips that share out all frames.
    """
    met = meetings(clip.labels)
    agreeing, total = 0.0, 0
    for first in range(min(stride, len(clip.frames))):
        tracker.reset()
        ids = [_identities(tracker, frame) for frame in clip.frames[first::stride]]
        agreement, number = certain_agreement(clip.labels[first::stride], ids, met)
        agreeing, total = agreeing + agreement, total + number
    return agreeing, total


def certain_agreement(labels: Sequence[np.ndarray], ids: Sequence[np.ndarray], met: np.ndarray) -> tuple[float, int]:
    """Association accuracy (HOTA's, arXiv 2009.07736) on the pairs of detections that are certain.

    For a detection of tracklet k with identity q: the number of detections of k with q, over that of those that are of
    k, or have q and are of a tracklet that meets k. A detection without identity counts 0.

    Args:
        labels: (N_t,) tracklet of each frame's detections, or -1.
        ids: (N_t,) identity of each frame's detections, or -1.
        met: (K, K) mask of the pairs of tracklets that meet.

    Returns:
        Sum over the detections of tracklets, and their number.
    """
    label, identity = (np.concatenate([*x, np.zeros(0, np.int64)]) for x in (labels, ids))
    label, identity = label[label >= 0], identity[label >= 0]
    shared = np.zeros((len(met), int(identity.max(initial=-1)) + 1))
    np.add.at(shared, (label[identity >= 0], identity[identity >= 0]), 1)
    union = np.bincount(label, minlength=len(met))[:, None] + met @ shared
    return float((shared**2 / np.maximum(union, 1)).sum()), len(label)


def _identities(tracker: MemoryTracker, frame: Instances) -> np.ndarray:
    """Identities (N,) of a frame's detections, -1 for those that are dropped."""
    tracked = tracker.update(Instances(frame.image_size, **frame.get_fields(), row=torch.arange(len(frame))))
    ids = np.full(len(frame), -1, dtype=np.int64)
    if len(tracked):
        ids[tracked.row.numpy()] = tracked.ID.numpy()
    return ids
