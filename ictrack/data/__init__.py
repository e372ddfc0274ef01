"""Data sets and loaders."""

from . import datasets  # registers the public data sets
from .build import FrameReadError, VideoFrameMapper, VideoInferenceSampler, build_video_test_loader

__all__ = ["FrameReadError", "VideoFrameMapper", "VideoInferenceSampler", "build_video_test_loader", "datasets"]
