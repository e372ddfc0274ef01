"""HOTA: detection, association and localization accuracy, for any per-frame similarity.

Reference: Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021. The scores
equal those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``metrics/hota.py``): every detection counts whatever
its score, and crowds are ground truth like any other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .assignment import linear_sum_assignment
from .tracked_sequence import SimilarPairs, TrackedSequence, has_repeats

# Smallest similarities of a true positive, up to rounding.
ALPHAS = np.arange(0.05, 0.99, 0.05)
_EPS = np.finfo(float).eps

HOTA_COUNTS = ("HOTA_TP", "HOTA_FN", "HOTA_FP", "AssA_sum", "AssRe_sum", "AssPr_sum", "LocA_sum")
# Scores that TrackEval sums over classes; it averages the others.
HOTA_SUMMED = ("HOTA_TP", "HOTA_FN", "HOTA_FP")


def hota_counts(sequence: TrackedSequence) -> dict[str, np.ndarray]:
    """Counts of HOTA (``HOTA_COUNTS``) in one sequence, each (19,) over ``ALPHAS``, which add up over sequences.

    Each frame has one matching for all alphas, with the highest sum of similarity times the alignment of the two
    identities over the whole sequence. The sums are over true positives c: of A(c) = TPA / (TPA + FNA + FPA) (the
    paper's Eq. 10), TPA / (TPA + FNA), TPA / (TPA + FPA), and of the similarity.
    """
    num_gt, num_pred = sequence.gt_frames.sum(), sequence.pred_frames.sum()
    counts = {key: np.zeros(len(ALPHAS)) for key in HOTA_COUNTS}
    if num_gt and num_pred and len(sequence.pairs):
        _count_matches(counts, _match(sequence), sequence)
    counts["HOTA_FN"] = num_gt - counts["HOTA_TP"]
    counts["HOTA_FP"] = num_pred - counts["HOTA_TP"]
    return counts


def hota_curves(counts: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """HOTA, DetA, AssA, DetRe, DetPr, AssRe, AssPr, LocA and OWTA as fractions, (19,) each over ``ALPHAS``.

    Without true positives LocA is 1 and the others are 0, as in TrackEval.
    """
    true, missed, wrong = (counts[key] for key in HOTA_SUMMED)
    some = np.maximum(1.0, true)
    curves = {
        "DetA": true / np.maximum(1.0, true + missed + wrong),
        "AssA": counts["AssA_sum"] / some,
        "DetRe": true / np.maximum(1.0, true + missed),
        "DetPr": true / np.maximum(1.0, true + wrong),
        "AssRe": counts["AssRe_sum"] / some,
        "AssPr": counts["AssPr_sum"] / some,
        "LocA": np.where(true > 0, counts["LocA_sum"] / some, 1.0),
    }
    return {
        "HOTA": np.sqrt(curves["DetA"] * curves["AssA"]),
        **curves,
        "OWTA": np.sqrt(curves["DetRe"] * curves["AssA"]),
    }


def hota_scores(counts: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Means over ``ALPHAS`` of :func:`hota_curves` and of the true positives, misses and false positives; and
    HOTA(0), LocA(0) and their product HOTALocA(0), the values at the smallest alpha."""
    curves = hota_curves(counts)
    scores = {key: float(np.mean(values)) for key, values in curves.items()}
    scores["HOTA(0)"], scores["LocA(0)"] = float(curves["HOTA"][0]), float(curves["LocA"][0])
    scores["HOTALocA(0)"] = scores["HOTA(0)"] * scores["LocA(0)"]
    return {**scores, **{key: float(np.mean(counts[key])) for key in HOTA_SUMMED}}


def _match(sequence: TrackedSequence) -> SimilarPairs:
    pairs = sequence.pairs
    in_gt = pairs.frame * sequence.num_gt + pairs.gt
    in_pred = pairs.frame * sequence.num_pred + pairs.pred
    others = np.bincount(in_gt, pairs.similarity)[in_gt] + np.bincount(in_pred, pairs.similarity)[in_pred]
    union = others - pairs.similarity
    jaccard = np.divide(pairs.similarity, union, out=np.zeros(len(pairs)), where=union > _EPS)
    identity = pairs.gt * sequence.num_pred + pairs.pred
    common = np.bincount(identity, jaccard, minlength=sequence.num_gt * sequence.num_pred)
    common = common.reshape(sequence.num_gt, sequence.num_pred)
    alignment = common / (sequence.gt_frames[:, None] + sequence.pred_frames[None, :] - common)
    score = alignment.ravel()[identity] * pairs.similarity

    # In most frames the ground truths' best detections are distinct, and thus the best assignment.
    starts = np.flatnonzero(np.diff(in_gt, prepend=-1))
    rows = np.diff(starts, append=len(pairs))
    best = np.flatnonzero(score == np.repeat(np.maximum.reduceat(score, starts), rows))
    contested = has_repeats(in_gt[best]) | has_repeats(in_pred[best])
    hard_frames = np.unique(pairs.frame[best[contested]])
    best = best[~np.isin(pairs.frame[best], hard_frames)]
    return SimilarPairs.concatenate(
        [pairs.take(best), *(_assign(sequence, alignment, frame) for frame in hard_frames.tolist())]
    )


def _assign(sequence: TrackedSequence, alignment: np.ndarray, frame: int) -> SimilarPairs:
    gt, pred, similarity = sequence.gt_ids[frame], sequence.pred_ids[frame], sequence.similarity[frame]
    rows, columns = linear_sum_assignment(alignment[gt[:, None], pred[None, :]] * similarity, maximize=True)
    return SimilarPairs(np.full(len(rows), frame), gt[rows], pred[columns], similarity[rows, columns])


def _count_matches(counts: dict[str, np.ndarray], matches: SimilarPairs, sequence: TrackedSequence) -> None:
    # A pair is a match at the first `level` alphas.
    level = np.searchsorted(ALPHAS - _EPS, matches.similarity, side="right")
    num_levels = len(ALPHAS) + 1
    counts["HOTA_TP"] = _above(np.bincount(level, minlength=num_levels).astype(float))
    counts["LocA_sum"] = _above(np.bincount(level, matches.similarity, minlength=num_levels))
    identity, index = np.unique(matches.gt * sequence.num_pred + matches.pred, return_inverse=True)
    common = np.bincount(index * num_levels + level, minlength=len(identity) * num_levels).astype(float)
    common = _above(common.reshape(len(identity), num_levels))  # (identities, alphas), TPA
    gt_frames = sequence.gt_frames[identity // sequence.num_pred][:, None]
    pred_frames = sequence.pred_frames[identity % sequence.num_pred][:, None]
    counts["AssA_sum"] = (common * common / (gt_frames + pred_frames - common)).sum(axis=0)
    counts["AssRe_sum"] = (common * common / gt_frames).sum(axis=0)
    counts["AssPr_sum"] = (common * common / pred_frames).sum(axis=0)


def _above(histogram: np.ndarray) -> np.ndarray:
    """Sums (..., L) above level 0, 1, ... L - 1 of a histogram (..., L + 1) over levels."""
    return np.cumsum(histogram[..., ::-1], axis=-1)[..., ::-1][..., 1:]
