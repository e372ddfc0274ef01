"""Identity metrics (IDF1, IDP, IDR), for any per-frame similarity.

Reference: Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016. The
scores equal those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``metrics/identity.py``): every detection
counts whatever its score, and crowds are ground truth like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .assignment import linear_sum_assignment
from .tracked_sequence import TrackedSequence

# Smallest similarity of a match, exactly (in CLEAR MOT up to rounding).
MATCH_THRESHOLD = 0.5

IDENTITY_COUNTS = ("IDTP", "IDFN", "IDFP")
# Scores that TrackEval sums over classes; it averages the others.
IDENTITY_SUMMED = IDENTITY_COUNTS


def identity_counts(sequence: TrackedSequence) -> dict[str, float]:
    """Counts of the Identity metrics (``IDENTITY_COUNTS``) in one sequence, which add up over sequences.

    Ground-truth tracks are assigned to predicted tracks once for the whole sequence, with the fewest misses and false
    positives: as a pair saves one of each per common frame, with the most common frames.
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
    """IDF1, IDP and IDR as fractions (0 where undefined), and the counts."""
    true, missed, wrong = (float(counts[key]) for key in IDENTITY_COUNTS)
    return {
        "IDF1": true / max(1.0, true + 0.5 * wrong + 0.5 * missed),
        "IDP": true / max(1.0, true + wrong),
        "IDR": true / max(1.0, true + missed),
        "IDTP": true,
        "IDFN": missed,
        "IDFP": wrong,
    }
