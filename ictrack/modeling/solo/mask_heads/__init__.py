"""Mask branches of SOLO's family, each a head in the registry ``MASK_HEADS``."""

from .decoupled import DecoupledLightMaskHead, DecoupledMaskHead
from .dynamic import DynamicMaskHead
from .grid import GridMaskHead

__all__ = ["DecoupledLightMaskHead", "DecoupledMaskHead", "DynamicMaskHead", "GridMaskHead"]
