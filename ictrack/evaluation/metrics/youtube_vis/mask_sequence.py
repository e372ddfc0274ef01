"""Mask tracks as sequences of identities, for HOTA, CLEAR and Identity."""

from __future__ import annotations

import numpy as np

from ..association.tracked_sequence import SimilarPairs, TrackedSequence
from .track_iou import PairOverlaps
from .track_masks import TrackMasks


def mask_sequence(gt: TrackMasks, pred: TrackMasks, overlaps: PairOverlaps, length: int) -> TrackedSequence:
    """Sequence of the tracks of one video and class. Tracks without any mask do not exist.

    Args:
        gt, pred: Masks of the tracks.
        overlaps: Result of :func:`.track_iou.pair_overlaps` for the two.
        length: Number of frames of the video; masks beyond are left out.
    """
    gt_identity, num_gt = _identities(gt, length)
    pred_identity, num_pred = _identities(pred, length)
    counts = (overlaps.frame < length) & (overlaps.iou > 0)
    frame, pred_index, gt_index, iou = (values[counts] for values in overlaps)
    return TrackedSequence.of_pairs(
        _by_frame(gt, gt_identity, length),
        _by_frame(pred, pred_identity, length),
        SimilarPairs(frame, gt_identity[gt_index], pred_identity[pred_index], iou),
        num_gt,
        num_pred,
    )


def _identities(tracks: TrackMasks, length: int) -> tuple[np.ndarray, int]:
    """Index (N,) of each track among the tracks that are in some frame, and their number."""
    exists = tracks.present[:, :length].any(axis=1)
    return np.cumsum(exists) - 1, int(np.count_nonzero(exists))


def _by_frame(tracks: TrackMasks, identity: np.ndarray, length: int) -> list[np.ndarray]:
    """Identities of the tracks with a mask in each frame."""
    frames, rows = np.nonzero(tracks.present[:, :length].T)
    ids = identity[rows]
    limits = np.searchsorted(frames, np.arange(length + 1)).tolist()
    return [ids[start:end] for start, end in zip(limits[:-1], limits[1:])]
