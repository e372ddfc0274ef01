"""SOLO's family, instance segmentation by location (Wang et al., ECCV 2020 and NeurIPS 2020)."""

from .head import MASK_HEADS, SOLOHead
from .mask_heads import DecoupledLightMaskHead, DecoupledMaskHead, DynamicMaskHead, GridMaskHead
from .matrix_nms import matrix_nms, point_nms
from .outputs import SOLOOutputs
from .solo import SOLO
from .targets import SOLOTargetAssigner, SOLOTargets

__all__ = [
    "MASK_HEADS",
    "SOLO",
    "DecoupledLightMaskHead",
    "DecoupledMaskHead",
    "DynamicMaskHead",
    "GridMaskHead",
    "SOLOHead",
    "SOLOOutputs",
    "SOLOTargetAssigner",
    "SOLOTargets",
    "matrix_nms",
    "point_nms",
]
