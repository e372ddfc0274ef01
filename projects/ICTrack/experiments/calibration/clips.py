"""Clips of a finished quick-start, masks or poses alike: detections by its two learnt heads, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.structures import Instances

from experiments.association.head_bank import HeadBank
from experiments.association.masks import Tracks, detect_clips, tracked_sequence
from experiments.association.poses import PoseClip, detect_poses, pose_sequence
from experiments.quickstart.masks import SKIPS
from ictrack.data.build import build_video_test_loader
from ictrack.data.datasets.posetrack import posetrack_files
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.data.train_loader import unlabeled_records
from ictrack.engine.calibration import MAX_FRAMES, MIN_SCORE
from ictrack.engine.footage import detect_footage
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.evaluation.metrics import TrackedSequence, pose_tracks
from ictrack.modeling.embedding import VideoEmbedding
from ictrack.structures.joints import joint_set
from ictrack.structures.json_files import read_json
from ictrack.structures.posetrack_json import sequence_name
from ictrack.structures.youtube_vis_json import read_ground_truth

HEADS = ("image", "fused")
Footage = dict[str, list[list[Instances]]]  # head -> detections in the frames of each video


@dataclass(frozen=True)
class FinishedQuickstart:
    """What a finished quick-start is compared on.

    Attributes:
        cfg: Configuration of its model, with the defaults of the tracker's thresholds.
        clips: Evaluation clips at the smallest skip, with the features of ``HEADS``.
        sequence: Function of a clip and its tracks that pairs them with the truth.
        training, evaluation: Detections in its unlabeled training clips, and in its evaluation clips, at the full rate;
            of people there is no evaluation clip at the full rate.
    """

    cfg: CfgNode
    clips: Sequence[Any]
    sequence: Callable[[Any, Tracks], TrackedSequence]
    training: Footage
    evaluation: Footage | None


def load_quickstart(task: str, defaults: str, output: Path) -> FinishedQuickstart:
    """Detections of a finished quick-start.

    Args:
        task: "masks" or "pose".
        defaults: Configuration file of its last stage.
        output: Its folder.
    """
    cfg = load_config(str(output / "config.yaml"))
    register_configured_datasets(cfg)
    cfg.TRACKER_HEADS = load_config(defaults).TRACKER_HEADS
    detector = VideoTracker.from_config(cfg)
    fused = cast(VideoEmbedding, detector.model.embedding_head)
    bank = HeadBank({"image": fused.image_head, "fused": fused}).eval()
    detector.model.embedding_head = bank
    load_clips = {"masks": _mask_clips, "pose": _pose_clips}[task]
    clips, sequence, frames = load_clips(cfg, detector, bank)
    training = _footage(cfg, detector, bank, unlabeled_records(cfg))
    evaluation = _footage(cfg, detector, bank, find_videos(frames)) if frames else None
    return FinishedQuickstart(cfg, clips, sequence, training, evaluation)


def _mask_clips(cfg: CfgNode, detector: VideoTracker, bank: HeadBank) -> tuple[Sequence[Any], Any, str]:
    name = f"ictrack_sample_clips_val_skip{SKIPS[0]}"
    metadata = MetadataCatalog.get(name)
    loader, truth = build_video_test_loader(cfg, name), read_ground_truth(metadata.json_file)
    limits = {"min_score": MIN_SCORE, "max_detections": cfg.TRACKER_HEADS.MAX_DETECTIONS}
    return detect_clips(detector.model, bank, loader, truth, **limits), tracked_sequence, metadata.image_root


def _pose_clips(cfg: CfgNode, detector: VideoTracker, bank: HeadBank) -> tuple[Sequence[Any], Any, str]:
    name = f"ictrack_sample_pose_clips_val_skip{SKIPS[0]}"
    metadata, joints = MetadataCatalog.get(name), joint_set(cfg.MODEL.POINT_SET_ANCHOR.JOINT_SET)
    loader = build_video_test_loader(cfg, name)
    detected = detect_poses(detector.model, bank, loader, MIN_SCORE, cfg.TRACKER_HEADS.MAX_DETECTIONS)
    files = {sequence_name(path.name): path for path in posetrack_files(metadata.annotation_folder)}
    clips = [PoseClip(name, read_json(path), detected[name], unit) for unit, (name, path) in enumerate(files.items())]

    def sequence(clip: PoseClip, tracked: Tracks) -> TrackedSequence:
        return pose_tracks(clip.gt, pose_sequence(clip, tracked, joints))

    return clips, sequence, ""


def _footage(cfg: CfgNode, detector: VideoTracker, bank: HeadBank, records: Sequence[Mapping[str, Any]]) -> Footage:
    limits = {"max_detections": cfg.TRACKER_HEADS.MAX_DETECTIONS, "max_frames": MAX_FRAMES}
    videos = detect_footage(detector, records, min_score=MIN_SCORE, **limits)
    return {head: [[_of_head(frame, bank, head) for frame in frames] for frames in videos] for head in HEADS}


def _of_head(frame: Instances, bank: HeadBank, head: str) -> Instances:
    own = Instances(frame.image_size, **frame.get_fields())
    if own.has("embeddings"):
        own.embeddings = bank.split(own.embeddings)[head]
    return own


def true_labels(sequence: TrackedSequence) -> list[np.ndarray]:
    """Object (N,) of each frame's tracked detections, the most similar one from 0.5 on and the best of its detections,
    or -1."""
    labels = []
    for objects, similarity in zip(sequence.gt_ids, sequence.similarity):
        label = np.full(similarity.shape[1], -1, dtype=np.int64)
        if similarity.size:
            best = similarity.argmax(axis=1)
            alike = (similarity.max(axis=1) >= 0.5) & (similarity.argmax(axis=0)[best] == np.arange(len(objects)))
            label[best[alike]] = np.asarray(objects)[alike]
        labels.append(label)
    return labels
