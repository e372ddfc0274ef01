"""Training, tracking and adaptation."""

from .adaptation import Adaptation, adapt
from .launch import launch_training
from .setup import ConfigError, load_config, train_or_evaluate
from .trainer import ICTrackTrainer
from .video_tracker import TrackingSummary, VideoTracker, track_video, write_tracks

__all__ = [
    "Adaptation",
    "ConfigError",
    "ICTrackTrainer",
    "TrackingSummary",
    "VideoTracker",
    "adapt",
    "launch_training",
    "load_config",
    "track_video",
    "train_or_evaluate",
    "write_tracks",
]
