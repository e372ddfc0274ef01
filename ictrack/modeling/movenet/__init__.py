"""MoveNet MultiPose: a small detector of several people's poses."""

from .backbone import MoveNetBackbone, build_movenet_backbone
from .movenet import MoveNet

__all__ = ["MoveNet", "MoveNetBackbone", "build_movenet_backbone"]
