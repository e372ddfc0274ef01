"""Models as functions of tensors, which are exported and run elsewhere."""

from __future__ import annotations

from typing import Any

from ictrack.modeling.embedded_detector import EmbeddedDetector
from ictrack.modeling.point_set_anchor import PointSetAnchor
from ictrack.modeling.solo import SOLO
from ictrack.structures.exported_model import DETECTIONS, RAW

from .embedded import EmbeddedDetections, EmbeddedRaw
from .embeddings import ExportError
from .point_set_anchor import PointSetAnchorDetections, PointSetAnchorRaw
from .solo import SOLODetections, SOLORaw

__all__ = [
    "EmbeddedDetections",
    "EmbeddedRaw",
    "ExportError",
    "PointSetAnchorDetections",
    "PointSetAnchorRaw",
    "SOLODetections",
    "SOLORaw",
    "exported_graph",
]

_GRAPHS: dict[type, dict[str, Any]] = {
    SOLO: {DETECTIONS: SOLODetections, RAW: SOLORaw},
    PointSetAnchor: {DETECTIONS: PointSetAnchorDetections, RAW: PointSetAnchorRaw},
    EmbeddedDetector: {DETECTIONS: EmbeddedDetections, RAW: EmbeddedRaw},
}


def exported_graph(model: Any, outputs: str) -> Any:
    """Module of tensors with ``input_names`` and ``size_divisibility``, from a model.

    Args:
        model: SOLO, PointSetAnchor, or an EmbeddedDetector with NanoDet or MoveNet.
        outputs: "detections" or "raw".

    Raises:
        ExportError: the model is another one, or has a part that cannot be exported.
    """
    if type(model) not in _GRAPHS:
        *others, last = (kind.__name__ for kind in _GRAPHS)
        names = f"{', '.join(others)} and {last}"
        raise ExportError(f"MODEL.META_ARCHITECTURE {type(model).__name__} cannot be exported; {names} can")
    return _GRAPHS[type(model)][outputs](model)
