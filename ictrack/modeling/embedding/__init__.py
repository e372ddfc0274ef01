"""Embedding heads: one vector an instance, by which it is recognised in other frames."""

from .build import EMBEDDING_HEADS, EmbeddingHead, build_embedding_head
from .instance_embedding import InstanceEmbeddingHead, PooledFeatures
from .readout import instance_ids

__all__ = [
    "EMBEDDING_HEADS",
    "EmbeddingHead",
    "InstanceEmbeddingHead",
    "PooledFeatures",
    "build_embedding_head",
    "instance_ids",
]
