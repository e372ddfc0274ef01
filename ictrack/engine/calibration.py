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
from ictrack.tracking.continuity import label_tracklets, most_certain_score
from ictrack.tracking.separation import Clip, Separation, logistic_scale
from ictrack.visualization.separation_plot import draw_separation

from .footage import detect_footage
from .recognition import CalibrationError, Recognition, recognize
from .replayed_threshold import NEW_OBJECT_COSINE, replayed_threshold
from .settings_file import with_settings, write_settings
from .video_tracker import VideoTracker

# Number of frames that are read in all videos together.
MAX_FRAMES = 4000
# Smallest score of the detections among which clutter is looked for.
MIN_SCORE = 0.1
# Smallest distance of the frames that are compared: an object that was hidden is to be recognized, too.
MIN_GAP = 4
# Share of what position gains over chance below which appearance is far worse: position is flattered, since certain
# tracklets end where objects come near each other, which is where it goes wrong.
POSITION_SHARE = 0.5
# Kappa over the slope of similarities, since a detection should rather take its best track than be a new object (at 1,
# IDF1 of the pose quick-start is a point lower, and that of masks the same), and kappa's range, beyond which softmaxes
# decide nothing or stay as they are.
SHARPNESS = 2.0
SCALES = (3.0, 50.0)
# Place of NEW_OBJECT_COSINE among the values that agree equally well with certain tracklets. These hold neither hidden
# objects, which look less like themselves, nor clutter and new objects, which must not continue a track. IDF1 of the
# quick-starts hardly differs from 0.65 to 0.8, and is up to 3 points lower at 0 and 4 at 1.
COSINE_SHARE = 0.75
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

    def draw(self, path: Path) -> None:
        """Write a picture (PNG) of the similarities that the thresholds are chosen by."""
        seen = self.position if self.objection else self.appearance
        by, measure = (
            ("place", "overlap of places") if self.objection else ("looks", "cosine of embeddings (1: same looks)")
        )
        draw_separation(
            path,
            seen.separation.same,
            seen.separation.different,
            None if self.objection else self.settings[NEW_OBJECT_COSINE],
            f"By {by}, {seen} of the objects are recognized {seen.gap} frames later\n"
            f"among those that were seen with them; chance would get {100 * seen.chance:.0f} % right",
            measure,
        )

    def __str__(self) -> str:
        lines = [f"{key} {value}" for key, value in self.settings.items()]
        seen = self.appearance
        lines.append(
            f"estimated accuracy: {seen} of objects in plain view are recognized {seen.gap} frames later among those "
            f"that were seen with them ({seen.tracklets} tracklets; by chance {100 * seen.chance:.1f} %, "
            f"by position {self.position})"
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

    1. ``MIN_SCORE`` and ``NEW_TRACK_SCORE``: the score at which most detections are in certain tracklets, which follow
       from continuity, without appearance. One tracklet is one object, and two that meet are two.
    2. Similarities of one tracklet and of two, as the tracker compares them, ``stride`` frames apart and at least
       ``MIN_GAP``. Where an object is not surely recognized better than by chance, or by far not as well as by its
       position, the spatial tracker takes over.
    3. ``SCALE``: ``SHARPNESS`` times the slope of the logistic function that separates the similarities.
       ``MATCH_THRESHOLD`` is one half, so that a lone detection continues a lone track from ``NEW_OBJECT_COSINE`` on.
    4. ``NEW_OBJECT_COSINE``, or the spatial tracker's threshold: one with which the tracker, replayed at ``stride``
       where tracklets are long enough, agrees best with the tracklets. Of values that agree equally well, the cosine is
       the one at ``COSINE_SHARE`` of their range, the other threshold the one that continues tracks most readily.

    Args:
        cfg: Configuration with the tracker.
        footage: Detections in the frames of each video, at its full rate.
        stride: Distance in frames at which videos are going to be tracked.

    Raises:
        CalibrationError: If there are too few tracklets.
    """
    score = round(
        most_certain_score(
            [[_boxes(frame) for frame in frames] for frames in footage],
            [[frame.scores.numpy() for frame in frames] for frames in footage],
        ),
        2,
    )
    scores = {"TRACKER_HEADS.MIN_SCORE": score, "TRACKER_HEADS.NEW_TRACK_SCORE": score}
    cfg = with_settings(cfg, scores)
    spatial = with_settings(cfg, {"TRACKER_HEADS.TRACKER_NAME": "SpatialTracker"})
    clips = [_clip(frames, score) for frames in footage]
    appearance = recognize(cfg, clips, max(stride, MIN_GAP))
    position = recognize(spatial, clips, appearance.gap)
    objection = _objection(appearance, position)
    if objection:
        chosen: dict[str, Any] = {"TRACKER_HEADS.TRACKER_NAME": "SpatialTracker"}
    else:
        chosen = softmax_settings(appearance.separation)
    separation = (position if objection else appearance).separation
    stride, share = min(stride, appearance.gap), 0.0 if objection else COSINE_SHARE
    chosen |= replayed_threshold(with_settings(cfg, chosen), clips, stride, separation, share)
    return Calibration({**scores, **chosen}, appearance, position, objection)


def _clip(frames: Sequence[Instances], min_score: float) -> Clip:
    frames = [frame[frame.scores >= min_score] for frame in frames]
    return Clip(frames, label_tracklets([_boxes(frame) for frame in frames]))


def _boxes(frame: Instances) -> np.ndarray:
    return cast(torch.Tensor, frame.pred_boxes.tensor).numpy()


def _objection(appearance: Recognition, position: Recognition) -> str:
    low, high = appearance.interval
    if low <= appearance.chance:
        return "it is not surely better than chance"
    if high < appearance.chance + POSITION_SHARE * (position.interval[0] - appearance.chance):
        return "it is far worse than position"
    return ""


def softmax_settings(similarities: Separation) -> dict[str, Any]:
    """``SCALE`` and ``MATCH_THRESHOLD`` for similarities, see :func:`calibrate_on`."""
    scale = SHARPNESS * logistic_scale(similarities.same, similarities.different)
    return {
        "TRACKER_HEADS.EMBEDDING.SCALE": round(min(max(scale, SCALES[0]), SCALES[1]), 1),
        "TRACKER_HEADS.EMBEDDING.MATCH_THRESHOLD": 0.5,
    }
