"""Backbones in addition to Detectron2's."""

from .deformable_resnet import build_deformable_resnet_fpn_backbone
from .hrnet import HRFPN, HRNet, build_hrnet_backbone, build_hrnet_hrfpn_backbone
from .pixels import PixelBackbone
from .timm_fpn import FPNWithTaps, TimmBackbone, build_timm_backbone, build_timm_fpn_backbone
from .timm_weights import PretrainedWeightsError

__all__ = [
    "HRFPN",
    "FPNWithTaps",
    "HRNet",
    "PixelBackbone",
    "PretrainedWeightsError",
    "TimmBackbone",
    "build_deformable_resnet_fpn_backbone",
    "build_hrnet_backbone",
    "build_hrnet_hrfpn_backbone",
    "build_timm_backbone",
    "build_timm_fpn_backbone",
]
