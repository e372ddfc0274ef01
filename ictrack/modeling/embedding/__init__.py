"""Embedding heads: one vector an instance, by which it is recognised in other frames."""

from .build import (
    EMBEDDING_HEADS,
    EmbeddingHead,
    KeypointEmbeddingHead,
    build_embedding_head,
    build_keypoint_embedding_head,
)
from .instance_embedding import InstanceEmbeddingHead, PooledFeatures
from .keypoint_embedding import KeypointEmbeddingModule
from .readout import instance_ids
from .video_embedding import InstanceVideoEmbedding, KeypointVideoEmbedding, VideoEmbedding

__all__ = [
    "EMBEDDING_HEADS",
    "EmbeddingHead",
    "InstanceEmbeddingHead",
    "InstanceVideoEmbedding",
    "KeypointEmbeddingHead",
    "KeypointEmbeddingModule",
    "KeypointVideoEmbedding",
    "PooledFeatures",
    "VideoEmbedding",
    "build_embedding_head",
    "build_keypoint_embedding_head",
    "instance_ids",
]
