"""Trackers by name: ICTrack's and Detectron2's own behind one contract."""

from __future__ import annotations

from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.structures import Boxes, Instances
from detectron2.tracking import TRACKER_HEADS_REGISTRY, BaseTracker, build_tracker_head

from .detections import current_detections, select_detections, with_ids


class Detectron2Tracker(BaseTracker):
    """One of Detectron2's own trackers with the input filter and the output of ICTrack's.

    They associate boxes only, but their ``update`` fails on what real detectors give: on any field that it does not
    know (`embeddings`) with a KeyError, on tensors that are not on the CPU, on keypoints (the Hungarian trackers);
    masks come back as integers, and rows of earlier frames are appended. So the tracker is shown boxes, scores and
    categories on the CPU, and its identities are put back on the detections.

    What they decide is left alone, with two properties to know: the Hungarian trackers match as many pairs as they
    can, even below TRACK_IOU_THRESHOLD, and a track is forgotten after MAX_LOST_FRAME_COUNT frames (0: at once).
    """

    def __init__(self, make_tracker: Callable[[], BaseTracker], min_score: float, max_detections: int) -> None:
        """
        Args:
            make_tracker: makes a fresh tracker, at the start and at every :meth:`reset`.
            min_score, max_detections: the best ``max_detections`` detections of score >= ``min_score`` enter.
        """
        super().__init__()
        self.make_tracker = make_tracker
        self.min_score = min_score
        self.max_detections = max_detections
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next frame is a video's first."""
        self.tracker = self.make_tracker()

    def update(self, predictions: Instances) -> Instances:
        """As :meth:`MemoryTracker.update <ictrack.tracking.base_tracker.MemoryTracker.update>`."""
        rows = select_detections(predictions, self.min_score, self.max_detections)
        shown = Instances(predictions.image_size)
        if len(rows):
            index = torch.from_numpy(rows)
            shown.pred_boxes = Boxes(predictions.pred_boxes.tensor[index].detach().cpu())
            shown.scores = predictions.scores[index].detach().cpu()
            shown.pred_classes = predictions.pred_classes[index].detach().cpu()
        else:
            shown.pred_boxes = Boxes(torch.zeros(0, 4))
            shown.scores, shown.pred_classes = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        tracked = current_detections(self.tracker.update(shown))
        return with_ids(predictions, rows, tracked.ID.numpy())


def build_tracker(cfg: CfgNode, height: int, width: int) -> BaseTracker:
    """Tracker for one video, from ``cfg.TRACKER_HEADS``; TRACKER_NAME alone decides which.

    ICTrack's trackers come back as they are, Detectron2's own inside a :class:`Detectron2Tracker`; both have
    ``update`` and ``reset``. A tracker that somebody else registered comes back as it is.

    Args:
        cfg: not modified.
        height, width: of the video's frames in pixels (Detectron2's own trackers read them).

    Raises:
        KeyError: no tracker is registered under TRACKER_NAME.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.TRACKER_HEADS.VIDEO_HEIGHT, cfg.TRACKER_HEADS.VIDEO_WIDTH = height, width
    heads = cfg.TRACKER_HEADS
    if TRACKER_HEADS_REGISTRY.get(heads.TRACKER_NAME).__module__.startswith("detectron2."):
        return Detectron2Tracker(lambda: build_tracker_head(cfg), heads.MIN_SCORE, heads.MAX_DETECTIONS)
    return build_tracker_head(cfg)
