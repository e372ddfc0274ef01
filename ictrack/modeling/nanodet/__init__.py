"""NanoDet: a small one-stage detector of boxes."""

from .backbone import CspPan, build_csp_pan_backbone
from .nanodet import NanoDet

__all__ = ["CspPan", "NanoDet", "build_csp_pan_backbone"]
