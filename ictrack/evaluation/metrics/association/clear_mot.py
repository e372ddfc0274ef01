"""CLEAR MOT: true positives, misses, false positives and id switches (MOTA), for any per-frame similarity.

Reference: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", 2008.
The scores equal those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``metrics/clear.py``): every detection
counts whatever its score, and crowds are ground truth like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from .assignment import linear_sum_assignment
from .tracked_sequence import SimilarPairs, TrackedSequence, has_repeats

# Smallest similarity of a match, up to rounding.
MATCH_THRESHOLD = 0.5
_EPS = np.finfo(float).eps
# Bonus of continuing a pair, larger than any sum of similarities in a frame.
_CONTINUITY = 1000.0
# A ground truth is mostly tracked above the first share of its frames, mostly lost below the second.
_MOSTLY_TRACKED, _MOSTLY_LOST = 0.8, 0.2

CLEAR_COUNTS = ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "MT", "PT", "ML", "Frag", "CLR_Frames", "MOTP_sum")
# Scores that TrackEval sums over classes; it averages the others.
CLEAR_SUMMED = CLEAR_COUNTS[:-1]


def clear_counts(sequence: TrackedSequence) -> dict[str, float]:
    """Counts of CLEAR MOT (``CLEAR_COUNTS``) in one sequence, which add up over sequences.

    Each frame has a one-to-one assignment that first continues the pairs of the previous frame, then maximizes the
    similarity. IDSW counts matches to another track than the last one ever matched; MT, PT and ML are ground truths
    matched in more than 80 %, at least 20 %, and fewer of their frames; Frag counts resumed matches; CLR_Frames is the
    sequence's length if it has both ground truth and detections, else 0; MOTP_sum is the matches' similarity.
    """
    has_both = np.array([len(a) > 0 and len(b) > 0 for a, b in zip(sequence.gt_ids, sequence.pred_ids)], dtype=bool)
    matches = _match(sequence, has_both)
    matched = np.bincount(matches.gt, minlength=sequence.num_gt)
    share = matched / np.maximum(1, sequence.gt_frames)
    mostly_tracked = float(np.count_nonzero(share > _MOSTLY_TRACKED))
    partly_tracked = float(np.count_nonzero(share >= _MOSTLY_LOST)) - mostly_tracked

    order = np.lexsort((matches.frame, matches.gt))
    # Frames without ground truth or without detections do not interrupt a track.
    step = np.cumsum(has_both)[matches.frame[order]] if len(matches) else matches.frame
    goes_on = np.diff(matches.gt[order]) == 0
    true_positives = float(len(matches))
    length = len(sequence) if sequence.length is None else sequence.length
    return {
        "CLR_TP": true_positives,
        "CLR_FN": float(sequence.gt_frames.sum()) - true_positives,
        "CLR_FP": float(sequence.pred_frames.sum()) - true_positives,
        "IDSW": float(np.count_nonzero(goes_on & (np.diff(matches.pred[order]) != 0))),
        "MT": mostly_tracked,
        "PT": partly_tracked,
        "ML": sequence.num_gt - mostly_tracked - partly_tracked,
        "Frag": float(np.count_nonzero(goes_on & (np.diff(step) > 1))),
        "CLR_Frames": float(length) if sequence.num_gt and sequence.num_pred else 0.0,
        "MOTP_sum": float(matches.similarity.sum()),
    }


def clear_scores(counts: Mapping[str, float]) -> dict[str, float]:
    """MOTA, MOTP, MODA, sMOTA, MOTAL, recall, precision, F1, MTR, PTR and MLR as fractions (0 where undefined), false
    positives per frame, and the counts."""
    counts = {key: float(counts[key]) for key in CLEAR_COUNTS}
    true, missed, wrong, switches = (counts[key] for key in ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW"))
    num_gt = max(1.0, true + missed)
    num_gt_tracks = max(1.0, counts["MT"] + counts["PT"] + counts["ML"])
    return {
        "MOTA": (true - wrong - switches) / num_gt,
        "MOTP": counts["MOTP_sum"] / max(1.0, true),
        "MODA": (true - wrong) / num_gt,
        "CLR_Re": true / num_gt,
        "CLR_Pr": true / max(1.0, true + wrong),
        "MTR": counts["MT"] / num_gt_tracks,
        "PTR": counts["PT"] / num_gt_tracks,
        "MLR": counts["ML"] / num_gt_tracks,
        "sMOTA": (counts["MOTP_sum"] - wrong - switches) / num_gt,
        "CLR_F1": true / max(1.0, true + 0.5 * missed + 0.5 * wrong),
        "FP_per_frame": wrong / max(1.0, counts["CLR_Frames"]),
        "MOTAL": (true - wrong - (math.log10(switches) if switches > 0 else 0.0)) / num_gt,
        **counts,
    }


def _match(sequence: TrackedSequence, has_both: np.ndarray) -> SimilarPairs:
    pairs = sequence.pairs.take(sequence.pairs.similarity >= MATCH_THRESHOLD - _EPS)
    if len(pairs) == 0:
        return pairs
    # Without alternatives all pairs are matches, independently of previous frames.
    contested = has_repeats(pairs.frame * sequence.num_gt + pairs.gt)
    contested |= has_repeats(pairs.frame * sequence.num_pred + pairs.pred)
    hard_frames = np.unique(pairs.frame[contested])
    if len(hard_frames) == 0:
        return pairs
    limits = np.searchsorted(pairs.frame, np.arange(len(sequence) + 1)).tolist()
    by_frame: dict[int, SimilarPairs] = {}
    with_both = np.flatnonzero(has_both)
    before_each = np.concatenate([[-1], with_both])[np.searchsorted(with_both, hard_frames)]
    for frame, last in zip(hard_frames.tolist(), before_each.tolist()):
        previous_pred = np.full(sequence.num_gt, -1)
        if last >= 0:
            before = by_frame[last] if last in by_frame else pairs.take(slice(limits[last], limits[last + 1]))
            previous_pred[before.gt] = before.pred
        by_frame[frame] = _assign(sequence, frame, previous_pred)
    easy = pairs.take(~np.isin(pairs.frame, hard_frames))
    return SimilarPairs.concatenate([easy, *by_frame.values()])


def _assign(sequence: TrackedSequence, frame: int, previous_pred: np.ndarray) -> SimilarPairs:
    gt, pred, similarity = sequence.gt_ids[frame], sequence.pred_ids[frame], sequence.similarity[frame]
    weight = similarity + _CONTINUITY * (previous_pred[gt][:, None] == pred[None, :])
    weight = np.where(similarity >= MATCH_THRESHOLD - _EPS, weight, 0.0)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    is_match = weight[rows, columns] > _EPS
    rows, columns = rows[is_match], columns[is_match]
    return SimilarPairs(np.full(len(rows), frame), gt[rows], pred[columns], similarity[rows, columns])
