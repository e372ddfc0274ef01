"""Training, tracking and adaptation. Imports are lazy: exported models are tracked without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ictrack.structures.lazy_names import lazy_names

if TYPE_CHECKING:
    from .adaptation import Adaptation as Adaptation
    from .adaptation import adapt as adapt
    from .export import export_model as export_model
    from .frame_tracks import to_frame_tracks as to_frame_tracks
    from .launch import launch_training as launch_training
    from .onnx_tracker import OnnxTracker as OnnxTracker
    from .setup import ConfigError as ConfigError
    from .setup import load_config as load_config
    from .setup import train_or_evaluate as train_or_evaluate
    from .trainer import ICTrackTrainer as ICTrackTrainer
    from .video_run import TrackingSummary as TrackingSummary
    from .video_run import track_video as track_video
    from .video_tracker import VideoTracker as VideoTracker

_MODULE_OF = {
    "Adaptation": "adaptation",
    "ConfigError": "setup",
    "ICTrackTrainer": "trainer",
    "OnnxTracker": "onnx_tracker",
    "TrackingSummary": "video_run",
    "VideoTracker": "video_tracker",
    "adapt": "adaptation",
    "export_model": "export",
    "launch_training": "launch",
    "load_config": "setup",
    "to_frame_tracks": "frame_tracks",
    "track_video": "video_run",
    "train_or_evaluate": "setup",
}
__all__ = sorted(_MODULE_OF)
__getattr__ = lazy_names(__name__, _MODULE_OF)
