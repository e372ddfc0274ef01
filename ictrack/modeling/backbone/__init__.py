"""Backbones beyond Detectron2's own."""

from .timm_fpn import FPNWithTaps, TimmBackbone, build_timm_backbone, build_timm_fpn_backbone
from .timm_weights import PretrainedWeightsError

__all__ = [
    "FPNWithTaps",
    "PretrainedWeightsError",
    "TimmBackbone",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
