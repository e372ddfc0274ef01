"""Speed of one update of an online tracker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from ictrack import add_ictrack_config
from ictrack.tracking import build_tracker

from .measure import measure_calls

# (height, width) of the frames where detections have no masks.
_FRAME_SIZE = (180, 320)


def benchmark_tracker(
    *,
    detections: int,
    tracks: int,
    dim: int,
    masks: Sequence[int] | None,
    warmup: int,
    repeats: int,
    opts: Sequence[str],
) -> dict[str, Any]:
    """Updates of a tracker whose memory holds ``tracks`` tracks, each frame finding ``detections`` of them again.

    Args:
        detections, tracks: Numbers of detections and tracks.
        dim: Dimension of the embeddings.
        masks: (height, width) of the detections' masks; None: no masks.
        warmup, repeats: Number of updates before and during the measurement.
        opts: KEY VALUE pairs of the configuration.
    """
    rng = np.random.default_rng(0)
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.TRACKER_NAME = "EmbeddingTracker"
    cfg.TRACKER_HEADS.MAX_DETECTIONS = detections
    cfg.merge_from_list(list(opts))
    corners = rng.uniform(0, 100, (tracks, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 60, (tracks, 2))], axis=1).astype(np.float32)
    identities = rng.standard_normal((tracks, dim)).astype(np.float32)

    tracker = build_tracker(cfg, *(masks or _FRAME_SIZE))
    for rows in np.array_split(np.arange(tracks), -(-tracks // detections)):
        tracker.update(_frame(identities[rows], boxes[rows], masks))
    frames = []
    for _ in range(warmup + repeats):
        rows = rng.choice(tracks, detections, replace=False)
        noise = 0.3 * rng.standard_normal((detections, dim)).astype(np.float32)
        frames.append(_frame(identities[rows] + noise, boxes[rows], masks))
    identities_seen = 1 + max(int(tracker.update(frame).ID.max()) for frame in frames[:warmup])
    return {
        "tracker": cfg.TRACKER_HEADS.TRACKER_NAME,
        "identities": identities_seen,  # more than `tracks` if the tracker lost some
        "tracks": tracks,
        "detections": detections,
        "dim": dim,
        "masks": masks,
        "opts": list(opts),
        **measure_calls(tracker.update, frames[warmup:]),
    }


def _frame(embeddings: np.ndarray, boxes: np.ndarray, mask_size: Sequence[int] | None) -> Instances:
    """Detections of score 0.9 with ``embeddings`` (N, D) and ``boxes`` (N, 4), and filled boxes as masks."""
    height, width = mask_size or _FRAME_SIZE
    frame = Instances((height, width))
    frame.pred_boxes = Boxes(torch.from_numpy(boxes))
    frame.scores = torch.full((len(boxes),), 0.9)
    frame.pred_classes = torch.zeros(len(boxes), dtype=torch.int64)
    frame.embeddings = torch.from_numpy(embeddings)
    if mask_size is not None:
        x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
        left, top, right, bottom = (side[:, None] for side in frame.pred_boxes.tensor.unbind(1))
        frame.pred_masks = ((y > top) & (y < bottom))[:, :, None] & ((x > left) & (x < right))[:, None]
    return frame
