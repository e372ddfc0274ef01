"""ICTrack's trackers as Detectron2's, registered in TRACKER_HEADS: ``Instances`` in, the same with identities out."""

from __future__ import annotations

import torch
from detectron2.config import configurable
from detectron2.structures import Instances
from detectron2.tracking.base_tracker import TRACKER_HEADS_REGISTRY, BaseTracker

from .base_tracker import ArrayTracker
from .embedding_tracker import EmbeddingArrayTracker
from .instances import InstancesDetections, with_ids
from .spatial_tracker import SpatialArrayTracker


class MemoryTracker(ArrayTracker, BaseTracker):
    """Detectron2's interface of an :class:`ArrayTracker <ictrack.tracking.base_tracker.ArrayTracker>`."""

    def update(self, predictions: Instances) -> Instances:
        """Give identities to one frame's detections. Frames without detections are passed, too.

        Args:
            predictions: N detections with `scores` (N,), `pred_classes` (N,), `pred_boxes` (XYXY, pixels) and the
                fields that the tracker compares. Not modified.

        Returns:
            Rows, K <= N, that have an identity, in their order, with every field (shared with ``predictions`` if K = N)
            and `ID` (K,) int64.

        Raises:
            TrackerInputError: a field is missing or not usable; the tracker's state is then unchanged.
        """
        rows, ids, classes = self.identify(InstancesDetections(predictions))
        tracked = with_ids(predictions, rows, ids)
        if classes is not None:
            tracked.pred_classes = torch.from_numpy(classes).to(tracked.pred_classes)
        return tracked


@TRACKER_HEADS_REGISTRY.register()
class EmbeddingTracker(EmbeddingArrayTracker, MemoryTracker):
    __doc__ = EmbeddingArrayTracker.__doc__
    __init__ = configurable(EmbeddingArrayTracker.__init__)


@TRACKER_HEADS_REGISTRY.register()
class SpatialTracker(SpatialArrayTracker, MemoryTracker):
    __doc__ = SpatialArrayTracker.__doc__
    __init__ = configurable(SpatialArrayTracker.__init__)
