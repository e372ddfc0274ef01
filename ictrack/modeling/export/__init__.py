"""Models as functions of tensors, which are exported and run elsewhere."""

from .embeddings import ExportError
from .point_set_anchor import PointSetAnchorDetections, PointSetAnchorRaw
from .solo import SOLODetections, SOLORaw

__all__ = ["ExportError", "PointSetAnchorDetections", "PointSetAnchorRaw", "SOLODetections", "SOLORaw"]
