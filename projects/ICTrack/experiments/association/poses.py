"""Comparison of association methods on the same detected poses, in clips of PoseTrack18's format.

The detector runs once over every frame. Each method then tracks its detections, with its thresholds tuned on one set of
clips and evaluated on another, as in :mod:`.masks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from torch import Tensor, nn

from ictrack.evaluation.metrics import AssociationCounts, PoseEvaluation, count_sequence, evaluate_pose, pose_tracks
from ictrack.evaluation.metrics.association.counts import ASSOCIATION_METRICS
from ictrack.evaluation.metrics.posetrack.pose_mot import COUNTS
from ictrack.structures.joints import POSETRACK_15, POSETRACK_18, JointSet, convert_keypoints, submitted_poses
from ictrack.structures.pose_sequence import PoseSequence
from ictrack.structures.posetrack_json import parse_pose_sequence
from synthetic.people.annotations import subsample_posetrack

from .head_bank import HeadBank
from .masks import Method, Tracks, idf1_of, spatial_method, track_clip

# Candidates of the smallest joint score; the one of highest MOTA is chosen.
JOINT_SCORES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class DetectedPoses:
    """People detected in a frame.

    Attributes:
        detections: N people with pred_boxes, pred_keypoints, scores, pred_classes and their number `row`.
        features: Name -> (N, D) or (N, P, D) embeddings.
    """

    detections: Instances
    features: dict[str, Tensor]


@dataclass
class PoseClip:
    """Clip with ground truth and the detections of its frames.

    Attributes:
        name: Name of the sequence.
        data: Content of its annotation file, in PoseTrack18's format.
        frames: Detections in each of the file's images.
        unit: Number of the full clip that the frames are from.
    """

    name: str
    data: dict[str, Any]
    frames: list[DetectedPoses]
    unit: int

    def all_phases(self, skip: int) -> list[PoseClip]:
        """``skip`` sparse clips that share out all frames."""
        return [
            PoseClip(
                f"{self.unit * skip + first + 1:06d}_phase",
                subsample_posetrack(self.data, skip, first),
                self.frames[first::skip],
                self.unit,
            )
            for first in range(skip)
        ]

    @property
    def gt(self) -> PoseSequence:
        """Ground truth as metrics take it."""
        return parse_pose_sequence(self.data, self.name, is_ground_truth=True)


def spatial_pose_methods() -> list[Method]:
    """Baselines on distances of joints and on OKS."""
    return [
        spatial_method("spatial distance", "distance", "MAX_DISTANCE", (0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)),
        spatial_method("OKS", "oks", "MIN_OKS", (0.001, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.5)),
    ]


def tag_method(name: str, feature: str) -> Method:
    """Embedding tracker on the tags of associative embedding, compared by distance."""
    return Method(
        name,
        "EmbeddingTracker",
        "EMBEDDING.NEW_OBJECT_COSINE",
        (-0.05, -0.1, -0.2, -0.4, -0.7, -1.0, -1.5, -2.5),
        feature,
        settings=(("EMBEDDING.SIMILARITY", "distance"),),
    )


@torch.no_grad()
def detect_poses(
    model: nn.Module,
    bank: HeadBank,
    frames: Iterable[list[dict[str, Any]]],
    min_score: float,
    max_detections: int,
) -> dict[str, list[DetectedPoses]]:
    """Run a detector over a video test loader and keep its detections.

    Args:
        model: Detector whose embedding head is ``bank``.
        bank: Embedding heads.
        frames: Video test loader with batches of one frame.
        min_score: Smallest score of the people that are kept.
        max_detections: Number of best people kept of each frame.

    Returns:
        Name of the video -> detections of its frames.
    """
    model.eval()
    videos: dict[str, list[DetectedPoses]] = {}
    for inputs in frames:
        instances = model(inputs)[0]["instances"].to("cpu")
        best = instances.scores.argsort(descending=True)[:max_detections]
        instances = instances[best[instances.scores[best] >= min_score]]
        features = bank.split(instances.embeddings)
        instances.remove("embeddings")
        instances.row = torch.arange(len(instances))
        videos.setdefault(inputs[0]["video_name"], []).append(DetectedPoses(instances, features))
    return videos


def tracked_people(clip: PoseClip, tracked: Tracks, joints: JointSet) -> list[tuple[np.ndarray, np.ndarray]]:
    """(N,) ids and (N, J, 3) keypoints of the tracked people of each frame."""
    people = []
    for frame, (rows, ids) in zip(clip.frames, tracked):
        keypoints = frame.detections.pred_keypoints[torch.from_numpy(rows)]
        people.append((ids, keypoints.double().numpy().reshape(len(ids), len(joints), 3)))
    return people


def pose_sequence(clip: PoseClip, tracked: Tracks, joints: JointSet, min_joint_score: float = 0.0) -> PoseSequence:
    """Tracked clip as metrics take it.

    Args:
        clip: Detected clip.
        tracked: (rows, ids) of each frame, from :func:`track_clip`.
        joints: Joint set of the detector.
        min_joint_score: Smallest score of the joints that are kept; people without any are left out.
    """
    people = tracked_people(clip, tracked, joints)
    submitted, seen = submitted_poses(np.concatenate([pose for _, pose in people]), joints, min_joint_score)
    poses = convert_keypoints(submitted, POSETRACK_18, POSETRACK_15)
    present = (poses != 0).any(axis=2)
    frames = np.repeat(np.arange(len(people)), [len(ids) for ids, _ in people])[seen]
    nothing = np.full(len(frames), np.nan)
    return PoseSequence(
        name=clip.name,
        source="",
        file_names=tuple(image["file_name"] for image in clip.data["images"]),
        is_labeled=np.ones(len(people), dtype=bool),
        ignore_regions=((),) * len(people),
        frames=frames,
        track_ids=np.concatenate([ids for ids, _ in people])[seen],
        keypoints=poses[seen][..., :2],
        present=present[seen],
        scores=poses[seen][..., 2],
        head_diagonals=nothing,
        areas=nothing,
        has_scores=np.ones(len(frames), dtype=bool),
    )


def unit_counts(identity: np.ndarray, mot: np.ndarray) -> np.ndarray:
    """Additive counts of a clip for IDF1 and MOTA.

    Args:
        identity: (3,) ``IDENTITY_COUNTS``.
        mot: (15, len(COUNTS)) ``COUNTS`` of each joint.

    Returns:
        (33,) int64: ``IDENTITY_COUNTS``, errors of each joint and objects of each joint.
    """
    count = dict(zip(COUNTS, mot.T))
    errors = count["misses"] + count["switches"] + count["false_positives"]
    return np.concatenate([identity, errors, count["objects"]]).astype(np.int64)


def unit_scores(counts: np.ndarray) -> dict[str, float]:
    """IDF1 and MOTA as fractions, from summed :func:`unit_counts`."""
    identity, errors, objects = np.split(np.asarray(counts, dtype=float), [3, 18])
    idf1 = ASSOCIATION_METRICS["identity"].scores(identity)["IDF1"]
    seen = objects > 0
    return {"IDF1": idf1, "MOTA": float(np.mean(1 - errors[seen] / objects[seen])) if seen.any() else float("nan")}


@dataclass(frozen=True)
class PoseSetting:
    """Tuned thresholds of a method."""

    threshold: float
    min_score: float
    min_joint_score: float


class PoseStudy:
    """Tuning and evaluation clips at one frame skip.

    Args:
        cfg: Configuration of the trackers.
        joints: Joint set of the detector.
        tune_clips, val_clips: Sparse clips.
        min_scores: Rising detection scores tried in tuning, besides each method's own thresholds.
    """

    def __init__(
        self,
        cfg: CfgNode,
        joints: JointSet,
        tune_clips: Sequence[PoseClip],
        val_clips: Sequence[PoseClip],
        min_scores: Sequence[float],
    ) -> None:
        self._cfg, self._joints, self._min_scores = cfg, joints, tuple(min_scores)
        self._tuning = [(clip, clip.gt) for clip in tune_clips]
        self._measuring = [(clip, clip.gt) for clip in val_clips]

    def tune(self, method: Method) -> tuple[float, dict[float, float]]:
        """Threshold of highest IDF1 on the tuning clips at a middle detection score, and detection score -> IDF1, a
        fraction, at this threshold.

        The scores are tried at one threshold alone, since all pairs would take thrice as long.
        """

        def idf1(threshold: float, min_score: float) -> float:
            tracks = self._track(method, self._tuning, threshold, min_score)
            return idf1_of(pose_tracks(gt, pose_sequence(c, t, self._joints)) for (c, gt), t in tracks)

        middle = self._min_scores[len(self._min_scores) // 2]
        threshold = max(method.candidates, key=lambda threshold: idf1(threshold, middle))
        return threshold, {min_score: idf1(threshold, min_score) for min_score in self._min_scores}

    def setting(self, method: Method, threshold: float, min_score: float) -> PoseSetting:
        """Setting with the joint score of highest MOTA on the tuning clips."""
        tracks = self._track(method, self._tuning, threshold, min_score)

        def mota(min_joint_score: float) -> float:
            pred = {c.name: pose_sequence(c, t, self._joints, min_joint_score) for (c, _), t in tracks}
            gt = {c.name: t for c, t in self._tuning}
            return evaluate_pose(gt, pred, ("strict",)).scores["strict"]["MOT"]["mota"]["total"]

        return PoseSetting(threshold, min_score, max(JOINT_SCORES, key=mota))

    def measure(self, method: Method, setting: PoseSetting) -> dict[str, Any]:
        """Scores of a method on the evaluation clips: PoseTrack's strict protocol, and association of people by OKS.

        Returns:
            "AP" (all joints), "MOTA" (joints above the tuned score), "IDF1", "AssA" and "HOTA" as fractions; "IDSW";
            the setting; and "counts", the :func:`unit_counts` of each unit.
        """
        tracks = self._track(method, self._measuring, setting.threshold, setting.min_score)
        gt = {clip.name: sequence for clip, sequence in self._measuring}
        every, confident = (
            {clip.name: pose_sequence(clip, tracked, self._joints, score) for (clip, _), tracked in tracks}
            for score in (0.0, setting.min_joint_score)
        )
        counts = AssociationCounts(len(gt))
        for position, name in enumerate(gt):
            counts.add(position, count_sequence(pose_tracks(gt[name], every[name])))
        people = counts.scores()
        mot = evaluate_pose(gt, confident, ("strict",))
        return {
            "threshold": setting.threshold,
            "min_score": setting.min_score,
            "min_joint_score": setting.min_joint_score,
            "AP": evaluate_pose(gt, every, ("strict",)).scores["strict"]["AP"]["ap"]["total"],
            "MOTA": mot.scores["strict"]["MOT"]["mota"]["total"],
            "IDF1": people["identity"]["IDF1"],
            "AssA": people["hota"]["AssA"],
            "HOTA": people["hota"]["HOTA"],
            "IDSW": people["clear"]["IDSW"],
            "counts": self._counts_by_unit(counts.by_video["identity"], mot),
        }

    def tracks(self, method: Method, setting: PoseSetting) -> list[tuple[PoseClip, Tracks]]:
        """Evaluation clips and their tracks."""
        tracked = self._track(method, self._measuring, setting.threshold, setting.min_score)
        return [(clip, one) for (clip, _), one in tracked]

    def _track(
        self, method: Method, clips: Sequence[tuple[PoseClip, PoseSequence]], threshold: float, min_score: float
    ) -> list[tuple[tuple[PoseClip, PoseSequence], Tracks]]:
        tracker = method.tracker(self._cfg, threshold, min_score)
        return [(one, track_clip(one[0], method.feature, tracker)) for one in clips]

    def _counts_by_unit(self, identity: np.ndarray, mot: PoseEvaluation) -> list[list[int]]:
        """``unit_counts`` of each unit, from the evaluation clips' (S, 3) ``IDENTITY_COUNTS`` and their evaluation."""
        by_name = dict(zip(mot.sequence_names, mot.protocols["strict"].counts))
        units: dict[int, Any] = {}
        for (clip, _), row in zip(self._measuring, identity):
            row = unit_counts(row, by_name[clip.name])
            units[clip.unit] = units.get(clip.unit, 0) + row
        return [units[unit].tolist() for unit in sorted(units)]
