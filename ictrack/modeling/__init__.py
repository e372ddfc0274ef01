"""Models; importing this package registers them with Detectron2."""

from .attach import attach_embedding_head
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
from .foreground import ForegroundSegmenter
from .given_detections import GivenDetections
from .movenet import MoveNet, MoveNetBackbone, build_movenet_backbone
from .nanodet import CspPan, NanoDet, build_csp_pan_backbone
from .onnx_detector import OnnxDetector
from .point_set_anchor import PointSetAnchor
from .solo import SOLO

__all__ = [
    "EMBEDDING_HEADS",
    "HRFPN",
    "SOLO",
    "CspPan",
    "EmbeddedDetector",
    "FPNWithTaps",
    "ForegroundSegmenter",
    "GivenDetections",
    "HRNet",
    "InstanceEmbeddingHead",
    "MoveNet",
    "MoveNetBackbone",
    "NanoDet",
    "OnnxDetector",
    "PointSetAnchor",
    "PooledFeatures",
    "TimmBackbone",
    "attach_embedding_head",
    "build_csp_pan_backbone",
    "build_embedding_head",
    "build_hrnet_backbone",
    "build_hrnet_hrfpn_backbone",
    "build_movenet_backbone",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
