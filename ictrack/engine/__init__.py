"""Training, tracking and adaptation."""

from .adaptation import Adaptation, adapt
from .frame_tracks import to_frame_tracks
from .launch import launch_training
from .setup import ConfigError, load_config, train_or_evaluate
from .trainer import ICTrackTrainer
from .video_run import TrackingSummary, track_video
from .video_tracker import VideoTracker

__all__ = [
    "Adaptation",
    "ConfigError",
    "ICTrackTrainer",
    "TrackingSummary",
    "VideoTracker",
    "adapt",
    "launch_training",
    "load_config",
    "to_frame_tracks",
    "track_video",
    "train_or_evaluate",
]
