"""PoseTrack's metrics of estimated and tracked poses, in two protocols.

``"official"`` gives the scores of github.com/leonid-pishchulin/poseval with py-motmetrics 1.2 to 1.4, its known bugs
included; ``"strict"`` follows the metrics' definitions:

=========================================  ======================================  ====================================
case                                       official                                strict
=========================================  ======================================  ====================================
frame without annotated people             left out, labeled or not                left out iff it is not labeled: else
                                                                                   all its joints are wrong
annotated people in an unlabeled frame     count                                   are left out with their frame
last annotated frame of a sequence         not in MOT (poseval fails if there is   in MOT
                                           no other: here a warning)
no predicted (or, after the ignore         1 object, 1 miss, 1 false positive for  its real joints, missed or wrong
regions, no annotated) person in a frame   every joint in MOT
joint neither annotated nor predicted      0 in the mean AP, precision, recall     not in the mean
joint annotated, never predicted           precision 0 in AP, MOTP 0               not in the mean precision and MOTP
MOTP                                       counts the distances of all pairs in    mean distance of the matches
                                           reach and those of the matches again;
                                           that of motmetrics 1.0 is given as
                                           ``motp_without_raw_events``
equal scores in AP                         the one read last comes first           they come together
frames of predictions                      go by their position in the file        go by their image's name, if the
                                                                                   names are those of the ground truth
=========================================  ======================================  ====================================

In both, a missing sequence, another number of images, or file names that poseval cannot read are errors; the readers
in ``structures/posetrack_json.py`` refuse the rest. Scores are fractions, NaN where nothing can be measured; "total" is
the mean over the joints for which a score is defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.pose_sequence import PoseSequence

from ..data_warnings import DataWarnings
from .frames import check_frames, order_by_name
from .pairs import pair_people
from .pose_ap import PredJoints, joint_curves, pred_joints, right_joints
from .pose_mot import JointEvents, track_joints
from .results import PoseEvaluation, ProtocolResult

PROTOCOLS = ("official", "strict")


def evaluate_pose(
    gt: Mapping[str, PoseSequence],
    pred: Mapping[str, PoseSequence],
    protocols: Sequence[str] = PROTOCOLS,
) -> PoseEvaluation:
    """AP and MOT of predicted pose tracks.

    Args:
        gt: Sequences by name, with head boxes, such as the result of ``read_pose_folder``.
        pred: Predictions of the same sequences with the same number of frames. Others are left out with a warning.
        protocols: "official", "strict" or both; see the table at the top of this module.

    Raises:
        AnnotationError: a sequence is missing or does not fit its ground truth.
        ValueError: a protocol is unknown.
    """
    if not set(protocols) <= set(PROTOCOLS):
        raise ValueError(f"the protocols are {', '.join(PROTOCOLS)}, not {', '.join(protocols)}")
    names = tuple(sorted(gt))
    if not names:
        raise AnnotationError("the ground truth has no sequence")
    warnings = DataWarnings()
    for name in sorted(set(pred) - set(gt)):
        warnings.add("not in the ground truth, not scored", name)
    joints: dict[str, list[PredJoints]] = {protocol: [] for protocol in protocols}
    counts: dict[str, list[np.ndarray]] = {protocol: [] for protocol in protocols}
    for name in names:
        if name not in pred:
            raise AnnotationError(f"{name}: there are no predictions for this sequence of the ground truth")
        by_position, by_name = _pair_sequence(gt[name], pred[name], warnings)
        for protocol in protocols:
            sequence_joints, sequence_counts = by_name.strict() if protocol == "strict" else by_position.official()
            joints[protocol].append(sequence_joints)
            counts[protocol].append(sequence_counts)
    results = {
        protocol: ProtocolResult(
            protocol,
            joint_curves(joints[protocol], join_ties=protocol == "strict"),
            np.array(counts[protocol]),
        )
        for protocol in protocols
    }
    return PoseEvaluation(names, results, tuple(warnings.lines()))


class _PairedSequence:
    """Ground truth and predictions of one sequence, with the computations that both protocols share."""

    def __init__(self, gt: PoseSequence, pred: PoseSequence) -> None:
        self._pairs = pair_people(gt, pred)
        self._is_right = right_joints(self._pairs)
        self._events: dict[bytes, JointEvents] = {}

    def official(self) -> tuple[PredJoints, np.ndarray]:
        """Joints for AP, and counts (15, len(COUNTS)) of MOT, in the official protocol."""
        pairs = self._pairs
        frames = pairs.gt.people_per_frame() > 0
        tracked = frames.copy()
        tracked[np.flatnonzero(frames)[-1:]] = False
        is_dummy = tracked & ((pairs.gt_count == 0) | (pairs.pred_count == 0))
        counts = self._track(frames).counts(tracked & ~is_dummy, int(np.count_nonzero(is_dummy)))
        return pred_joints(pairs, self._is_right, frames), counts

    def strict(self) -> tuple[PredJoints, np.ndarray]:
        """Joints for AP, and counts (15, len(COUNTS)) of MOT, in the strict protocol."""
        frames = self._pairs.gt.is_labeled
        return pred_joints(self._pairs, self._is_right, frames), self._track(frames).counts(frames)

    def _track(self, frames: np.ndarray) -> JointEvents:
        """Cached events of ``track_joints``, which do not depend on frames without joints in reach."""
        in_reach = np.zeros(len(frames), dtype=bool)
        in_reach[self._pairs.frame[self._pairs.is_match.any(axis=1)]] = True
        key = (frames & in_reach).tobytes()
        if key not in self._events:
            self._events[key] = track_joints(self._pairs, frames)
        return self._events[key]


def _pair_sequence(
    gt: PoseSequence, pred: PoseSequence, warnings: DataWarnings
) -> tuple[_PairedSequence, _PairedSequence]:
    """Sequence with its frames paired by position, and by name."""
    check_frames(gt, pred)
    by_name = by_position = _PairedSequence(gt, pred)
    order = order_by_name(gt, pred)
    if order is None:
        warnings.add("other file names than in the ground truth; frames go by position", gt.name)
    elif order != list(range(gt.num_frames)):
        warnings.add("frames in another order than in the ground truth", gt.name)
        by_name = _PairedSequence(gt, pred.reorder_frames(order))
    if not pred.has_scores.all():
        warnings.add("people without scores", gt.name)
    annotated = gt.people_per_frame() > 0
    if (annotated & ~gt.is_labeled).any():
        warnings.add("annotated people in unlabeled frames", gt.name)
    if np.count_nonzero(annotated) == 1:
        warnings.add("a single annotated frame, without official MOT", gt.name)
    return by_position, by_name
