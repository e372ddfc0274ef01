"""Data sets and loaders. Imports are lazy: video is read and written without PyTorch and Detectron2."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ictrack.structures.lazy_names import lazy_names

if TYPE_CHECKING:
    from .build import FrameReadError as FrameReadError
    from .build import VideoFrameMapper as VideoFrameMapper
    from .build import VideoInferenceSampler as VideoInferenceSampler
    from .build import build_video_test_loader as build_video_test_loader

_MODULE_OF = {
    "FrameReadError": "build",
    "VideoFrameMapper": "build",
    "VideoInferenceSampler": "build",
    "build_video_test_loader": "build",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
