"""Identity (IDF1): how long each object keeps the same track, for any per-frame similarity.

Reference: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016. The
numbers equal those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``metrics/identity.py``): every detection
counts whatever its score, and crowds are ground truth like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .assignment import linear_sum_assignment
from .tracked_sequence import TrackedSequence

# A similarity from here on is a match; other than in CLEAR MOT, one that falls short of it by rounding is none.
MATCH_THRESHOLD = 0.5

IDENTITY_COUNTS = ("IDTP", "IDFN", "IDFP")
# Scores that TrackEval adds up over classes where it averages the others.
IDENTITY_SUMMED = IDENTITY_COUNTS


def identity_counts(sequence: TrackedSequence) -> dict[str, float]:
    """Identity's counts (``IDENTITY_COUNTS``) of one sequence. They add up over sequences.

    One assignment of ground-truth tracks to predicted tracks for the whole sequence, that with the fewest detections
    left wrong or unfound: as each pair saves twice the frames it has in common, that with the most frames in common.
    """
    pairs = sequence.pairs.take(sequence.pairs.similarity >= MATCH_THRESHOLD)
    true_positives = 0.0
    if len(pairs):
        size = sequence.num_gt * sequence.num_pred
        common = np.bincount(pairs.gt * sequence.num_pred + pairs.pred, minlength=size)
        common = common.reshape(sequence.num_gt, sequence.num_pred)
        true_positives = float(common[linear_sum_assignment(common, maximize=True)].sum())
    return {
        "IDTP": true_positives,
        "IDFN": float(sequence.gt_frames.sum()) - true_positives,
        "IDFP": float(sequence.pred_frames.sum()) - true_positives,
    }


def identity_scores(counts: Mapping[str, float]) -> dict[str, float]:
    """IDF1, IDP and IDR as fractions, 0 where there is nothing, and the counts."""
    true, missed, wrong = (float(counts[key]) for key in IDENTITY_COUNTS)
    return {
        "IDF1": true / max(1.0, true + 0.5 * wrong + 0.5 * missed),
        "IDP": true / max(1.0, true + wrong),
        "IDR": true / max(1.0, true + missed),
        "IDTP": true,
        "IDFN": missed,
        "IDFP": wrong,
    }
