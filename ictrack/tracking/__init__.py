"""Online trackers in Detectron2's TRACKER_HEADS registry."""

from .build import build_tracker
from .detections import TrackerInputError, current_detections
from .embedding_tracker import EmbeddingTracker
from .spatial_tracker import SpatialTracker

__all__ = ["EmbeddingTracker", "SpatialTracker", "TrackerInputError", "build_tracker", "current_detections"]
