"""Association methods compared on the same detected poses, in clips of PoseTrack18's format.

As :mod:`.masks`: a detector runs once over every frame, and each method tracks what it found, with its
thresholds tuned on one set of clips and measured on another.
"""

from __future__ import annotations

import itertools
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
from ictrack.tracking import current_detections
from synthetic.people.annotations import subsample_posetrack

from .head_bank import HeadBank
from .masks import Method, idf1_of, spatial_method

# What a joint's score may have to be, of which the best for MOTA is chosen.
JOINT_SCORES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class DetectedPoses:
    """The people found in a frame.

    Attributes:
        detections: pred_boxes, pred_keypoints, scores and pred_classes of N people; `row` numbers them.
        features: name -> (N, D) or (N, P, D) embeddings to compare.
    """

    detections: Instances
    features: dict[str, Tensor]


@dataclass
class PoseClip:
    """A clip with ground truth and what was found in its frames.

    Attributes:
        name: of the sequence.
        data: content of its file, PoseTrack18's format.
        frames: one for each of the file's images.
        unit: of the clip that its frames are from.
    """

    name: str
    data: dict[str, Any]
    frames: list[DetectedPoses]
    unit: int

    def all_phases(self, skip: int) -> list[PoseClip]:
        """Every frame once, in ``skip`` sparse clips."""
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
    def truth(self) -> PoseSequence:
        """The ground truth as metrics read it."""
        return parse_pose_sequence(self.data, self.name, is_ground_truth=True)


Tracks = Sequence[tuple[np.ndarray, np.ndarray]]


def spatial_pose_methods() -> list[Method]:
    """The baseline on the distances of joints, and OKS."""
    return [
        spatial_method("spatial distance", "distance", "MAX_DISTANCE", (0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0)),
        spatial_method("OKS", "oks", "MIN_OKS", (0.001, 0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.5)),
    ]


def tag_method(name: str, feature: str) -> Method:
    """The embedding tracker on the tags of associative embedding, which are compared by their distance."""
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
    """Run ``model``, whose embedding head is ``bank``, over a video test loader.

    Of each frame the ``max_detections`` best people of at least ``min_score`` are kept: no tracker sees others.

    Returns:
        Name of the video -> its frames.
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


def track_poses(clip: PoseClip, feature: str | None, tracker: Any) -> Tracks:
    """Track a clip by one of its features, or by where joints are if ``feature`` is None.

    Returns:
        Per frame: which detections (rows) were tracked, and their ids.
    """
    tracker.reset()
    tracked = []
    for frame in clip.frames:
        detections = Instances(frame.detections.image_size, **frame.detections.get_fields())
        if feature is not None:
            detections.embeddings = frame.features[feature]
        result = current_detections(tracker.update(detections))
        tracked.append((result.row.numpy(), result.ID.numpy()))
    return tracked


def tracked_people(clip: PoseClip, tracked: Tracks, joints: JointSet) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per frame the ids (N,) and keypoints (N, J, 3) of those who were tracked."""
    people = []
    for frame, (rows, ids) in zip(clip.frames, tracked):
        keypoints = frame.detections.pred_keypoints[torch.from_numpy(rows)]
        people.append((ids, keypoints.double().numpy().reshape(len(ids), len(joints), 3)))
    return people


def pose_sequence(clip: PoseClip, tracked: Tracks, joints: JointSet, min_joint_score: float = 0.0) -> PoseSequence:
    """A tracked clip as metrics read it.

    Args:
        joints: of the detector.
        min_joint_score: joints of a lower score, and people without others, are left out.
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
    """Counts that IDF1 and MOTA of a clip are made of; they add up over clips.

    Args:
        identity: (3,) the ``IDENTITY_COUNTS``.
        mot: (15, len(COUNTS)).

    Returns:
        (33,) the ``IDENTITY_COUNTS``, the errors of each joint, and its objects.
    """
    count = dict(zip(COUNTS, mot.T))
    errors = count["misses"] + count["switches"] + count["false_positives"]
    return np.concatenate([identity, errors, count["objects"]]).astype(np.int64)


def unit_scores(counts: np.ndarray) -> dict[str, float]:
    """IDF1 and MOTA, as fractions, of a sum of :func:`unit_counts`."""
    identity, errors, objects = np.split(np.asarray(counts, dtype=float), [3, 18])
    idf1 = ASSOCIATION_METRICS["identity"].scores(identity)["IDF1"]
    seen = objects > 0
    return {"IDF1": idf1, "MOTA": float(np.mean(1 - errors[seen] / objects[seen])) if seen.any() else float("nan")}


@dataclass(frozen=True)
class PoseSetting:
    """What is tuned of a method."""

    threshold: float
    min_score: float
    min_joint_score: float


class PoseStudy:
    """Clips to tune on and clips to measure on, at one frame skip.

    Args:
        cfg: of the trackers.
        joints: of the detector.
        tune_clips, val_clips: sparse clips.
        min_scores: smallest detection scores that tuning tries, beside each method's own thresholds.
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
        self._tuning = [(clip, clip.truth) for clip in tune_clips]
        self._measuring = [(clip, clip.truth) for clip in val_clips]

    def tune(self, method: Method) -> PoseSetting:
        """The threshold and detection score of highest IDF1 on the clips to tune on, then the joint score of highest
        MOTA; every method tries equally many."""

        def idf1(setting: tuple[float, float]) -> float:
            tracks = self._track(method, self._tuning, *setting)
            return idf1_of(pose_tracks(truth, pose_sequence(c, t, self._joints)) for (c, truth), t in tracks)

        threshold, min_score = max(itertools.product(method.candidates, self._min_scores), key=idf1)
        tracks = self._track(method, self._tuning, threshold, min_score)

        def mota(min_joint_score: float) -> float:
            found = {c.name: pose_sequence(c, t, self._joints, min_joint_score) for (c, _), t in tracks}
            truth = {c.name: t for c, t in self._tuning}
            return evaluate_pose(truth, found, ("strict",)).scores["strict"]["MOT"]["mota"]["total"]

        return PoseSetting(threshold, min_score, max(JOINT_SCORES, key=mota))

    def measure(self, method: Method, setting: PoseSetting) -> dict[str, Any]:
        """Scores of a method on the clips to measure on, by PoseTrack's strict protocol and, of whole people, by OKS.

        Returns:
            "AP" (all joints), "MOTA" (joints above the tuned score), "IDF1", "AssA" and "HOTA" as fractions; "IDSW";
            the setting; and "counts", the :func:`unit_counts` of each unit.
        """
        tracks = self._track(method, self._measuring, setting.threshold, setting.min_score)
        truth = {clip.name: sequence for clip, sequence in self._measuring}
        every, confident = (
            {clip.name: pose_sequence(clip, tracked, self._joints, score) for (clip, _), tracked in tracks}
            for score in (0.0, setting.min_joint_score)
        )
        counts = AssociationCounts(len(truth))
        for position, name in enumerate(truth):
            counts.add(position, count_sequence(pose_tracks(truth[name], every[name])))
        people = counts.scores()
        mot = evaluate_pose(truth, confident, ("strict",))
        return {
            "threshold": setting.threshold,
            "min_score": setting.min_score,
            "min_joint_score": setting.min_joint_score,
            "AP": evaluate_pose(truth, every, ("strict",)).scores["strict"]["AP"]["ap"]["total"],
            "MOTA": mot.scores["strict"]["MOT"]["mota"]["total"],
            "IDF1": people["identity"]["IDF1"],
            "AssA": people["hota"]["AssA"],
            "HOTA": people["hota"]["HOTA"],
            "IDSW": people["clear"]["IDSW"],
            "counts": self._counts_by_unit(counts.by_video["identity"], mot),
        }

    def tracks(self, method: Method, setting: PoseSetting) -> list[tuple[PoseClip, Tracks]]:
        """The clips to measure on, tracked."""
        tracked = self._track(method, self._measuring, setting.threshold, setting.min_score)
        return [(clip, one) for (clip, _), one in tracked]

    def _track(
        self, method: Method, clips: Sequence[tuple[PoseClip, PoseSequence]], threshold: float, min_score: float
    ) -> list[tuple[tuple[PoseClip, PoseSequence], Tracks]]:
        tracker = method.tracker(self._cfg, threshold, min_score)
        return [(one, track_poses(one[0], method.feature, tracker)) for one in clips]

    def _counts_by_unit(self, identity: np.ndarray, mot: PoseEvaluation) -> list[list[int]]:
        """``unit_counts`` of each unit, from the (S, 3) counts of the clips to measure on and their evaluation."""
        by_name = dict(zip(mot.sequence_names, mot.protocols["strict"].counts))
        units: dict[int, Any] = {}
        for (clip, _), row in zip(self._measuring, identity):
            row = unit_counts(row, by_name[clip.name])
            units[clip.unit] = units.get(clip.unit, 0) + row
        return [units[unit].tolist() for unit in sorted(units)]
