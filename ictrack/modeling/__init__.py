"""Models. Importing this room registers them with Detectron2."""

from .backbone import FPNWithTaps, TimmBackbone, build_timm_backbone, build_timm_fpn_backbone
from .embedded_detector import EmbeddedDetector
from .embedding import EMBEDDING_HEADS, InstanceEmbeddingHead, PooledFeatures, build_embedding_head
from .solo import SOLO

__all__ = [
    "EMBEDDING_HEADS",
    "SOLO",
    "EmbeddedDetector",
    "FPNWithTaps",
    "InstanceEmbeddingHead",
    "PooledFeatures",
    "TimmBackbone",
    "build_embedding_head",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
