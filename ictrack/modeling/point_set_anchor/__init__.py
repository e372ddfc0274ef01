"""PointSetAnchor, pose estimation with pose anchors in every cell (Wei et al., ECCV 2020)."""

from .oks_nms import oks_nms
from .point_set_anchor import PointSetAnchor

__all__ = ["PointSetAnchor", "oks_nms"]
