"""Models; importing this package registers them with Detectron2."""

from .backbone import (
    HRFPN,
    FPNWithTaps,
    HRNet,
    TimmBackbone,
    build_hrnet_backbone,
    build_hrnet_hrfpn_backbone,
    build_timm_backbone,
    build_timm_fpn_backbone,
)
from .embedded_detector import EmbeddedDetector
from .embedding import EMBEDDING_HEADS, InstanceEmbeddingHead, PooledFeatures, build_embedding_head
from .point_set_anchor import PointSetAnchor
from .solo import SOLO

__all__ = [
    "EMBEDDING_HEADS",
    "HRFPN",
    "SOLO",
    "EmbeddedDetector",
    "FPNWithTaps",
    "HRNet",
    "InstanceEmbeddingHead",
    "PointSetAnchor",
    "PooledFeatures",
    "TimmBackbone",
    "build_embedding_head",
    "build_hrnet_backbone",
    "build_hrnet_hrfpn_backbone",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
