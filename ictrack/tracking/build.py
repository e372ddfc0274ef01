"""Trackers by name: ICTrack's and Detectron2's own behind one interface."""

from __future__ import annotations

from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.structures import Boxes, Instances
from detectron2.tracking import TRACKER_HEADS_REGISTRY, BaseTracker, build_tracker_head

from . import heads as _heads  # noqa: F401  registers ICTrack's
from .detections import select_detections
from .instances import InstancesDetections, current_detections, with_ids


class Detectron2Tracker(BaseTracker):
    """One of Detectron2's own trackers with the input filter and the output of ICTrack's.

    They associate boxes only, but their ``update`` fails on real detections: with a KeyError on unknown fields
    (`embeddings`), on tensors that are not on the CPU, and on keypoints (the Hungarian trackers); masks become
    integers, and rows of earlier frames are appended. So the tracker gets boxes, scores and categories on the CPU, and
    its identities are added to the detections.

    Their decisions are unchanged; note that the Hungarian trackers match as many pairs as they can, even below
    TRACK_IOU_THRESHOLD, and drop a track after MAX_LOST_FRAME_COUNT frames (0: at once).
    """

    def __init__(self, make_tracker: Callable[[], BaseTracker], min_score: float, max_detections: int) -> None:
        """
        Args:
            make_tracker: Function that returns a new tracker, called at the start and at every :meth:`reset`.
            min_score, max_detections: Filter: the best ``max_detections`` detections of score >= ``min_score`` enter.
        """
        super().__init__()
        self.make_tracker = make_tracker
        self.min_score = min_score
        self.max_detections = max_detections
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next frame is the first of a video."""
        self.tracker = self.make_tracker()

    def update(self, predictions: Instances) -> Instances:
        """See :meth:`MemoryTracker.update <ictrack.tracking.heads.MemoryTracker.update>`."""
        rows, _ = select_detections(InstancesDetections(predictions), self.min_score, self.max_detections)
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
    """Tracker for one video, by ``cfg.TRACKER_HEADS.TRACKER_NAME``.

    Detectron2's own trackers are wrapped in a :class:`Detectron2Tracker`; ICTrack's, and trackers that users register,
    are returned as they are. All have ``update`` and ``reset``.

    Args:
        cfg: Configuration, which is not modified.
        height, width: Size of the video's frames in pixels (Detectron2's own trackers read them).

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
