"""Average precision of joints: PoseTrack's pose estimation metric, one curve for each joint.

In each frame a predicted person belongs to the annotated person of whose joints it finds the largest share, if no other
prediction finds more of that person's joints. The joints of all other predictions are wrong. Reference:
github.com/leonid-pishchulin/poseval, ``evaluateAP.py``. The two protocols differ in ``evaluate.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .pairs import PosePairs


@dataclass(frozen=True)
class PredJoints:
    """Predicted joints of a sequence, and which of them are right.

    Attributes:
        is_right: (P, 15) mask of right joints of the predicted people, in the order of the file.
        present: (P, 15) mask of predicted joints.
        scores: (P, 15) scores.
        num_gt: (15,) number of annotated joints.
    """

    is_right: np.ndarray
    present: np.ndarray
    scores: np.ndarray
    num_gt: np.ndarray


def right_joints(pairs: PosePairs) -> np.ndarray:
    """Mask (P, 15) of the predicted people's joints that are right."""
    share = pairs.share_matched
    candidates = np.flatnonzero(share > 0)
    # Each prediction keeps the annotated person with the highest share, then each annotated person the best such
    # prediction; among equals the first in the file's order.
    candidates = _first_of_each(candidates, pairs.pred_index, -share, pairs.gt_index)
    candidates = _first_of_each(candidates, pairs.gt_index, -share, pairs.pred_index)
    is_right = np.zeros(pairs.pred_present.shape, dtype=bool)
    is_right[pairs.pred_index[candidates]] = pairs.is_match[candidates]
    return is_right


def pred_joints(pairs: PosePairs, is_right: np.ndarray, frames: np.ndarray) -> PredJoints:
    """Predictions and number of annotations in the frames of a mask (F,)."""
    used = frames[pairs.pred.frames]
    return PredJoints(
        is_right=is_right[used],
        present=pairs.pred_present[used],
        scores=pairs.pred.scores[used],
        num_gt=np.count_nonzero(pairs.gt_present[frames[pairs.gt.frames]], axis=0),
    )


def _first_of_each(candidates: np.ndarray, group: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """Candidates (groups,) that come first by ``keys`` in their group."""
    order = np.lexsort([*(key[candidates] for key in reversed(keys)), group[candidates]])
    candidates = candidates[order]
    is_first = np.ones(len(candidates), dtype=bool)
    is_first[1:] = group[candidates][1:] != group[candidates][:-1]
    return candidates[is_first]


@dataclass(frozen=True)
class JointCurve:
    """E predictions of one joint, T of them right, in S sequences, by descending score, for a precision-recall curve.

    Attributes:
        sequence: (E,) index of each prediction's sequence.
        right: (T,) indices of the right predictions.
        end: (T,) last prediction that counts with each right one: itself, or the last of the same score.
        last_right: (T,) position in ``right`` of the last right prediction up to ``end``.
        num_gt: (S,) number of annotated joints.
    """

    sequence: np.ndarray
    right: np.ndarray
    end: np.ndarray
    last_right: np.ndarray
    num_gt: np.ndarray

    def average_precision(self, weights: np.ndarray) -> tuple[float, float, float]:
        """Area under the curve's envelope, precision and recall of everything, as fractions; NaN if undefined.

        Args:
            weights: (S,) integers, how often each sequence counts.
        """
        num_gt = int(weights @ self.num_gt)
        weight = weights[self.sequence]
        all_pred = np.cumsum(weight)
        right_weight = weight[self.right]
        num_right = int(right_weight.sum())
        num_pred = int(all_pred[-1]) if len(all_pred) else 0
        precision_of_all = num_right / num_pred if num_pred else np.nan
        if num_gt == 0:
            return np.nan, precision_of_all, np.nan
        precision = np.cumsum(right_weight)[self.last_right] / np.maximum(all_pred[self.end], 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(right_weight @ envelope) / num_gt, precision_of_all, num_right / num_gt


def joint_curves(sequences: Sequence[PredJoints], *, join_ties: bool) -> list[JointCurve]:
    """Curves of the joints.

    Args:
        sequences: Joints of each sequence.
        join_ties: Whether predictions of equal score count together; else the one read last comes first, as poseval's
            sort, made stable, orders them.
    """
    if not sequences:
        return []
    sequence = np.repeat(np.arange(len(sequences)), [len(s.scores) for s in sequences])
    is_right = np.concatenate([s.is_right for s in sequences])
    present = np.concatenate([s.present for s in sequences])
    scores = np.concatenate([s.scores for s in sequences])
    num_gt = np.stack([s.num_gt for s in sequences])
    curves = []
    for joint in range(num_gt.shape[1]):
        people = np.flatnonzero(present[:, joint])
        people = people[np.argsort(scores[people, joint], kind="stable")[::-1]]
        right = np.flatnonzero(is_right[people, joint])
        end, last_right = right, np.arange(len(right))
        if join_ties:
            ends = _ends_of_ties(scores[people, joint])
            end = ends[right]
            last_right = np.searchsorted(right, end, side="right") - 1
        curves.append(JointCurve(sequence[people], right, end, last_right, num_gt[:, joint]))
    return curves


def _ends_of_ties(scores: np.ndarray) -> np.ndarray:
    """Position (E,) of the last equal score for each of the descending scores."""
    last = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
    return last[np.searchsorted(last, np.arange(len(scores)))]
