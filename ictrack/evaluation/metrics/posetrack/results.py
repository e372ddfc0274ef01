"""PoseTrack's scores of any draw of sequences, from the curves and counts of both protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ictrack.structures.joints import POSETRACK_15

from .pose_ap import JointCurve
from .pose_mot import COUNTS

# Joint names in poseval.
JOINT_NAMES = tuple({"head_bottom": "neck"}.get(name, name) for name in POSETRACK_15.names)
# Columns of poseval's tables.
JOINT_GROUPS: dict[str, tuple[str, ...]] = {
    "Head": ("head_top", "neck", "nose"),
    **{
        title: (f"right_{joint}", f"left_{joint}")
        for title, joint in (
            ("Shou", "shoulder"),
            ("Elb", "elbow"),
            ("Wri", "wrist"),
            ("Hip", "hip"),
            ("Knee", "knee"),
            ("Ankl", "ankle"),
        )
    },
}
_MOT_HEADLINES = {"MOTA": "mota", "MOTP": "motp", "Prec": "pre", "Rec": "rec"}
# Fractions by metric and joint or "total"; NaN: nothing to measure.
Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class ProtocolResult:
    """Curves and counts of S sequences in one protocol.

    Attributes:
        protocol: "official" or "strict".
        curves: Curves of the 15 joints.
        counts: (S, 15, len(COUNTS)) counts of MOT.
    """

    protocol: str
    curves: Sequence[JointCurve]
    counts: np.ndarray

    def average_precision(self, weights: np.ndarray) -> Scores:
        """``ap``, ``pre`` and ``rec`` of each joint and in total.

        Args:
            weights: (S,) integers, how often each sequence counts.
        """
        values = np.array([curve.average_precision(weights) for curve in self.curves])
        if self.protocol == "official":
            values[np.isnan(values[:, 1])] = 0  # nothing predicted
        return {name: _with_total(column) for name, column in zip(("ap", "pre", "rec"), values.T)}

    def mot(self, weights: np.ndarray) -> Scores:
        """``mota``, ``motp``, ``pre``, ``rec`` and the official ``motp_without_raw_events``, by joint and in total."""
        count = dict(zip(COUNTS, np.tensordot(weights, self.counts, axes=1).T))
        errors = count["misses"] + count["switches"] + count["false_positives"]
        matched = count["matches"] + count["switches"]
        with np.errstate(divide="ignore", invalid="ignore"):
            objects = np.where(count["objects"] > 0, count["objects"], np.nan)
            values = {
                "mota": 1 - errors / objects,
                "motp": 1 - count["D_match_and_switch"] / matched,
                "pre": matched / (matched + count["false_positives"]),
                "rec": matched / objects,
            }
            if self.protocol == "official":
                values["motp_without_raw_events"] = np.where(matched > 0, values["motp"], 0)
                values["motp"] = np.where(matched > 0, 1 - count["D_all_events"] / matched, 0)
        return {name: _with_total(value) for name, value in values.items()}

    def counters(self, weights: np.ndarray) -> Scores:
        """Counts of MOT (``COUNTS``) by joint."""
        sums = np.tensordot(weights, self.counts, axes=1)
        return {name: dict(zip(JOINT_NAMES, column.tolist())) for name, column in zip(COUNTS, sums.T)}


@dataclass(frozen=True)
class PoseEvaluation:
    """PoseTrack's scores of S sequences.

    Attributes:
        sequence_names: Names of the S sequences.
        protocols: Results by protocol.
        warnings: Lines of a message and the sequences that it is about.
    """

    sequence_names: tuple[str, ...]
    protocols: Mapping[str, ProtocolResult]
    warnings: tuple[str, ...]

    @property
    def scores(self) -> dict[str, dict[str, Scores]]:
        """Scores by protocol; "AP" {ap, pre, rec}, "MOT" {mota, motp, pre, rec, ...}, "counters"; joint or "total"."""
        return self._scores(np.ones(len(self.sequence_names), dtype=np.int64))

    def per_sequence(self) -> dict[str, dict[str, dict[str, Scores]]]:
        """Scores, as in :attr:`scores`, of each sequence alone."""
        each = np.eye(len(self.sequence_names), dtype=np.int64)
        return {name: self._scores(weights) for name, weights in zip(self.sequence_names, each)}

    def resample(self, weights: np.ndarray) -> dict[str, float]:
        """Headline scores, such as "official.AP" and "strict.MOTA", of a draw of sequences.

        Args:
            weights: (S,) integers, how often each sequence was drawn; ones give the scores of the data set. A
                sequence that is drawn twice counts twice, its predictions of equal score side by side.
        """
        headlines = {}
        for name, result in self.protocols.items():
            ap, mot = result.average_precision(weights), result.mot(weights)
            headlines[f"{name}.AP"] = ap["ap"]["total"]
            headlines.update({f"{name}.{title}": mot[key]["total"] for title, key in _MOT_HEADLINES.items()})
        return headlines

    def _scores(self, weights: np.ndarray) -> dict[str, dict[str, Scores]]:
        return {
            name: {
                "AP": result.average_precision(weights),
                "MOT": result.mot(weights),
                "counters": result.counters(weights),
            }
            for name, result in self.protocols.items()
        }


def _with_total(values: np.ndarray) -> dict[str, float]:
    """Values by joint, and the mean of the defined ones; NaN if none is."""
    defined = values[~np.isnan(values)]
    total = float(defined.mean()) if len(defined) else float("nan")
    return {**dict(zip(JOINT_NAMES, values.tolist())), "total": total}


def group_joints(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores in poseval's columns: means over ``JOINT_GROUPS``, NaN if a joint has none, and Total."""
    columns = {title: float(np.mean([scores[joint] for joint in joints])) for title, joints in JOINT_GROUPS.items()}
    return {**columns, "Total": scores["total"]}
