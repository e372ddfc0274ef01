"""Losses: pure functions on tensors, each with its equation."""

from .associative_embedding import AssociativeEmbeddingLoss, associative_embedding_loss
from .dice import dice_loss
from .instance_contrastive import InstanceContrastiveLoss, instance_contrastive_loss
from .random_walk import instance_walk_loss, random_walk_loss
from .tracklet_contrastive import tracklet_contrastive_loss
from .video_correspondence import VideoCorrespondenceLoss, video_correspondence_loss

__all__ = [
    "AssociativeEmbeddingLoss",
    "InstanceContrastiveLoss",
    "VideoCorrespondenceLoss",
    "associative_embedding_loss",
    "dice_loss",
    "instance_contrastive_loss",
    "instance_walk_loss",
    "random_walk_loss",
    "tracklet_contrastive_loss",
    "video_correspondence_loss",
]
