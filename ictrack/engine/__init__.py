"""Training, tracking and adaptation."""

from .adaptation import Adaptation, adapt
from .setup import ConfigError, launch_training, load_config, train_or_evaluate
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
