"""Online trackers: on arrays, and in Detectron2's TRACKER_HEADS registry.

Imports are lazy: trackers on arrays work without PyTorch and Detectron2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ictrack.structures.lazy_names import lazy_names

if TYPE_CHECKING:
    from .build import build_tracker as build_tracker
    from .detections import ArrayDetections as ArrayDetections
    from .detections import TrackerInputError as TrackerInputError
    from .embedding_tracker import EmbeddingArrayTracker as EmbeddingArrayTracker
    from .heads import EmbeddingTracker as EmbeddingTracker
    from .heads import SpatialTracker as SpatialTracker
    from .instances import current_detections as current_detections
    from .instances import plain_instances as plain_instances
    from .spatial_tracker import SpatialArrayTracker as SpatialArrayTracker

_MODULE_OF = {
    "ArrayDetections": "detections",
    "EmbeddingArrayTracker": "embedding_tracker",
    "EmbeddingTracker": "heads",
    "SpatialArrayTracker": "spatial_tracker",
    "SpatialTracker": "heads",
    "TrackerInputError": "detections",
    "build_tracker": "build",
    "current_detections": "instances",
    "plain_instances": "instances",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
