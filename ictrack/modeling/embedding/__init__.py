"""Embedding heads: one vector an instance, by which it is recognized in other frames."""

from .crop_embedding import CropEmbedding
from .head import EMBEDDING_HEADS, EmbeddingHead, build_embedding_head
from .instance_embedding import InstanceEmbeddingHead
from .keypoint_embedding import KeypointEmbeddingModule
from .pooled_features import PooledFeatures
from .readout import instance_ids, pad_instances
from .video_embedding import VideoEmbedding

__all__ = [
    "EMBEDDING_HEADS",
    "CropEmbedding",
    "EmbeddingHead",
    "InstanceEmbeddingHead",
    "KeypointEmbeddingModule",
    "PooledFeatures",
    "VideoEmbedding",
    "build_embedding_head",
    "instance_ids",
    "pad_instances",
]
