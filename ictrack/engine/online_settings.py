"""Settings of the online tracker for the objects of an identification, found by replays on their identities."""

from __future__ import annotations

import itertools
import logging
from typing import Any, cast

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Boxes, Instances

from ictrack.identities.crop_encoder import DIM
from ictrack.tracking import build_tracker
from ictrack.tracking.heads import MemoryTracker
from ictrack.tracking.replay import replay
from ictrack.tracking.separation import Clip, separation

from .calibration import MIN_GAP, softmax_settings
from .identify import Identification
from .replayed_threshold import replayed_threshold
from .settings_file import with_settings

logger = logging.getLogger(__name__)

# One to one, and by overlap with the last box as well: look-alikes of one frame often resemble each other more than
# themselves a moment ago.
_FORM: dict[str, Any] = {
    "TRACKER_HEADS.TRACKER_NAME": "EmbeddingTracker",
    "TRACKER_HEADS.EMBEDDING.ASSIGNMENT": "hungarian",
    "TRACKER_HEADS.POST_PROCESSING.ENABLED": True,
}
# Values that are tried: whether a detection that several tracks resemble is rather a new object, the weight of a frame
# in a track's embedding, which is a mean over the longer, the less it is, and the weight of the overlap.
_TRIED: dict[str, tuple[float, ...]] = {
    "TRACKER_HEADS.EMBEDDING.MATCH_THRESHOLD": (0.5, 0.0),
    "TRACKER_HEADS.EMBEDDING.MOMENTUM": (0.7, 0.2, 0.05),
    "TRACKER_HEADS.POST_PROCESSING.BETA": (0.5, 3.0),
}


def online_settings(result: Identification, cfg: CfgNode) -> dict[str, Any]:
    """Configuration keys of the paper's tracker, and the values with which it agrees best with the identities.

    It is replayed on the detections that have an identity, also over crossings. Embeddings of single frames are far
    less certain than the means that tracklets are linked by.

    Args:
        result: Objects that can be told apart.
        cfg: Configuration of the detector.
    """
    clip = _clip(result)
    cfg = with_settings(cfg, _FORM)
    similarities = separation(cast(MemoryTracker, build_tracker(cfg, 0, 0)), [clip], MIN_GAP)
    if not len(similarities.same) or not len(similarities.different):
        return _FORM
    chosen = {**_FORM, **softmax_settings(similarities)}
    tried = [{**chosen, **dict(zip(_TRIED, values))} for values in itertools.product(*_TRIED.values())]
    agreements = [replay(cast(MemoryTracker, build_tracker(with_settings(cfg, x), 0, 0)), clip, 1) for x in tried]
    best = max(range(len(tried)), key=lambda index: agreements[index][0])
    logger.info("online tracker: agreement %.1f %%, %s", 100 * agreements[best][0] / agreements[best][1], tried[best])
    return {**tried[best], **replayed_threshold(with_settings(cfg, tried[best]), [clip], 1, similarities)}


def _clip(result: Identification) -> Clip:
    """Detections with an identity, and their embeddings, in the frames that were embedded."""
    found: dict[int, list[tuple[int, int, np.ndarray]]] = {}  # frame -> identity, row, embedding
    for tracklet, identity, embeddings in zip(result.tracklets, result.links.identities.tolist(), result.embeddings):
        if identity >= 0:
            seen = tracklet.thinned(result.every)
            for index, row, embedding in zip(seen.frames.tolist(), seen.rows.tolist(), embeddings):
                found.setdefault(index, []).append((identity, row, embedding))
    frames, labels = [], []
    for frame in result.footage.frames:
        if frame.index % result.every:
            continue
        of_frame = found.get(frame.index, [])
        rows = np.array([row for _, row, _ in of_frame], dtype=np.int64)
        vectors = np.concatenate([np.zeros((0, DIM), np.float32), *(embedding[None] for *_, embedding in of_frame)])
        instances = Instances((result.footage.info.height, result.footage.info.width))
        instances.pred_boxes = Boxes(torch.from_numpy(frame.boxes[rows].astype(np.float32)))
        instances.scores = torch.from_numpy(frame.scores[rows].astype(np.float32))
        instances.pred_classes = torch.from_numpy(frame.classes[rows])
        instances.embeddings = torch.from_numpy(vectors)
        frames.append(instances)
        labels.append(np.array([identity for identity, *_ in of_frame], dtype=np.int64))
    return Clip(frames, labels)
