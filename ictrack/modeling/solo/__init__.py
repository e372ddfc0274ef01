"""SOLO v1, instance segmentation by location (Wang et al., ECCV 2020)."""

from .head import SOLOHead
from .matrix_nms import matrix_nms, point_nms
from .solo import SOLO
from .targets import SOLOTargetAssigner, SOLOTargets

__all__ = ["SOLO", "SOLOHead", "SOLOTargetAssigner", "SOLOTargets", "matrix_nms", "point_nms"]
