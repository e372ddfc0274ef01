"""Calibration of the tracker on unlabeled videos: thresholds, whether appearance helps, and how often it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances

from ictrack.data.datasets.unlabeled_videos import find_videos
from ictrack.tracking.continuity import label_tracklets, lasting, score_of_objects
from ictrack.tracking.separation import Clip

from .footage import detect_footage
from .recognition import CalibrationError, Recognition, recognize
from .settings_file import with_settings, write_settings
from .video_tracker import VideoTracker

# Number of frames that are read in all videos together.
MAX_FRAMES = 4000
# Smallest score of the detections among which clutter is looked for.
MIN_SCORE = 0.1
# Smallest distance of the frames that are compared: an object that was hidden is to be recognized, too.
MIN_GAP = 4
# Range of kappa: below it a softmax hardly decides, above it nothing changes.
SCALES = (3.0, 50.0)
Footage = Sequence[Sequence[Instances]]


@dataclass(frozen=True)
class Calibration:
    """Result of :func:`calibrate`.

    Attributes:
        settings: Configuration key -> chosen value.
        appearance, position: Recognition by embeddings, and by the spatial tracker.
        objection: Why embeddings are not used; "" if they are.
    """

    settings: dict[str, Any]
    appearance: Recognition
    position: Recognition
    objection: str = ""

    def write(self, path: Path, base: str = "") -> None:
        """Write the settings as a configuration file, with ``base`` as its base file unless empty."""
        write_settings(path, self.settings, base)

    def __str__(self) -> str:
        lines = [f"{key} {value}" for key, value in self.settings.items()]
        seen = self.appearance
        lines.append(
            f"estimated accuracy: {seen} of objects are recognized {seen.gap} frames later among those seen with them "
            f"({seen.tracklets} tracklets; by chance {100 * seen.chance:.1f} %, by position {self.position})"
        )
        if self.objection:
            lines.append(f"appearance is switched off, objects are followed by their position: {self.objection}")
        return "\n".join(lines)


def calibrate(cfg: CfgNode, videos: Sequence[str], stride: int = 1) -> Calibration:
    """Choose the tracker's thresholds on unlabeled videos, see :func:`calibrate_on`.

    Args:
        cfg: Configuration of the model and its tracker, with ``MODEL.WEIGHTS``.
        videos: Paths and globs, see :func:`ictrack.data.datasets.unlabeled_videos.find_videos`. They are read at their
            full rate, up to ``MAX_FRAMES`` frames in all.
        stride: Distance in frames at which videos are going to be tracked.

    Raises:
        CheckpointError: If the weights are missing or cannot be read.
        VideoReadError: If no video can be read.
        CalibrationError: If the tracker compares no embeddings, or nothing can be concluded from the videos.
    """
    return calibrate_records(cfg, find_videos(list(videos)), stride)


def calibrate_records(cfg: CfgNode, records: Sequence[Mapping[str, Any]], stride: int = 1) -> Calibration:
    """Calibration on records of videos, see :func:`.footage.detect_footage`; otherwise as :func:`calibrate`."""
    heads = cfg.TRACKER_HEADS
    if heads.TRACKER_NAME != "EmbeddingTracker":
        name = heads.TRACKER_NAME
        raise CalibrationError(
            f"TRACKER_HEADS.TRACKER_NAME {name} compares no embeddings: there is nothing to calibrate"
        )
    footage = detect_footage(
        VideoTracker.from_config(cfg),
        records,
        min_score=min(MIN_SCORE, heads.MIN_SCORE),
        max_detections=heads.MAX_DETECTIONS,
        max_frames=MAX_FRAMES,
    )
    return calibrate_on(cfg, footage, stride)


def calibrate_on(cfg: CfgNode, footage: Footage, stride: int = 1) -> Calibration:
    """Choose the tracker's thresholds on detections in unlabeled videos.

    1. ``MIN_SCORE`` and ``NEW_TRACK_SCORE``: the score from which detections last from frame to frame as objects do.
    2. Tracklets that are certain by continuity, without appearance: one is one object, and two that meet are two. What
       the tracker would compare of them gives similarities of the same object and of different ones.
    3. ``NEW_OBJECT_COSINE`` is the similarity at which both are equally probable, and ``SCALE`` the slope of the
       logistic function there; ``MATCH_THRESHOLD`` is then a probability, one half.
    4. Where an object is not surely recognized better than by chance, or surely worse than by its position, the spatial
       tracker takes over. (Position is at its best here, as tracklets end where objects come near each other.)

    Args:
        cfg: Configuration with the tracker.
        footage: Detections in the frames of each video, at its full rate.
        stride: Distance in frames at which videos are going to be tracked.

    Raises:
        CalibrationError: If there are too few tracklets.
    """
    scores = _score_settings(footage)
    cfg = with_settings(cfg, scores)
    spatial = with_settings(cfg, {"TRACKER_HEADS.TRACKER_NAME": "SpatialTracker"})
    clips = [_clip(frames, cfg.TRACKER_HEADS.MIN_SCORE) for frames in footage]
    appearance = recognize(cfg, clips, max(stride, MIN_GAP))
    position = recognize(spatial, clips, appearance.gap)
    objection = _objection(appearance, position)
    chosen = _spatial_settings(spatial, position) if objection else _embedding_settings(appearance)
    return Calibration({**scores, **chosen}, appearance, position, objection)


def _score_settings(footage: Footage) -> dict[str, Any]:
    scores, lasts = [np.zeros(0)], [np.zeros(0, dtype=bool)]
    for frames in footage:
        scores += [frame.scores.numpy() for frame in frames[1:-1]]
        lasts += lasting([_boxes(frame) for frame in frames])
    score = score_of_objects(np.concatenate(scores), np.concatenate(lasts))
    keys = ("TRACKER_HEADS.MIN_SCORE", "TRACKER_HEADS.NEW_TRACK_SCORE")
    return {} if score is None else dict.fromkeys(keys, round(score, 2))


def _clip(frames: Sequence[Instances], min_score: float) -> Clip:
    frames = [frame[frame.scores >= min_score] for frame in frames]
    return Clip(frames, label_tracklets([_boxes(frame) for frame in frames]))


def _boxes(frame: Instances) -> np.ndarray:
    return cast(torch.Tensor, frame.pred_boxes.tensor).numpy()


def _objection(appearance: Recognition, position: Recognition) -> str:
    low, high = appearance.interval
    if low <= appearance.chance:
        return "it is not surely better than chance"
    if high < position.interval[0]:
        return "it is surely worse than position"
    return ""


def _embedding_settings(appearance: Recognition) -> dict[str, Any]:
    return {
        "TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE": round(appearance.threshold, 2),
        "TRACKER_HEADS.EMBEDDING.SCALE": round(min(max(appearance.scale, SCALES[0]), SCALES[1]), 1),
        "TRACKER_HEADS.EMBEDDING.MATCH_THRESHOLD": 0.5,
    }


def _spatial_settings(cfg: CfgNode, position: Recognition) -> dict[str, Any]:
    """The spatial tracker, with its threshold on the scale of its cost."""
    cost = cfg.TRACKER_HEADS.SPATIAL.COST
    if cost == "distance":
        key, value = "MAX_DISTANCE", -position.threshold
    else:
        key, value = f"MIN_{cost.upper()}", max(position.threshold, 0.01)  # 0 accepts what does not overlap at all
    return {"TRACKER_HEADS.TRACKER_NAME": "SpatialTracker", f"TRACKER_HEADS.SPATIAL.{key}": round(value, 2)}
