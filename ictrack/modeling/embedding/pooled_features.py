"""Embedding head without parameters: pooled features of a backbone.

Naming convention:
    B: images, N_i: instances of image i, D: embedding dimension, (H_l, W_l): resolution of feature l
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances
from torch import Tensor

from .head import EMBEDDING_HEADS, EmbeddingHead
from .readout import image_rows, instance_masks, mask_readout, resize_map


@EMBEDDING_HEADS.register()
class PooledFeatures(EmbeddingHead):
    """Means of the features inside the mask, concatenated: the baseline, and what works without training.

    The features' scales decide how much each counts; the taps of a frozen :class:`TimmBackbone` have unit variance per
    channel.
    """

    @configurable
    def __init__(self, *, in_features: Sequence[str]):
        super().__init__()
        self.in_features = list(in_features)
        self.reads = "masks"

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        return {"in_features": cfg.MODEL.EMBEDDING.IN_FEATURES or list(input_shape)}

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """No losses."""
        return {}

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """Embeddings as of :class:`EmbeddingHead`; D is the sum of the features' channels."""
        return list(self._pool(features, self._masks(features, instances)).split([len(x) for x in instances]))

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        masks = self._masks(features, instances)
        present = [m.flatten(1).any(dim=1) for m in masks]
        rows = image_rows([len(x) for x in instances], masks[0].device)
        return self._pool(features, [m[p] for m, p in zip(masks, present)]), rows[torch.cat(present)]

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        maps = [features[f] for f in self.in_features]
        sizes = [maps[level].shape[-2:] for level in levels or range(len(maps))]
        return [torch.cat([resize_map(x, size) for x in maps], dim=1) for size in sizes]

    def _masks(self, features: dict[str, Tensor], instances: Sequence[Instances]) -> list[Tensor]:
        return [instance_masks(x, features[self.in_features[0]].shape[-2:]) for x in instances]

    def _pool(self, features: dict[str, Tensor], masks: Sequence[Tensor]) -> Tensor:
        return torch.cat(mask_readout([features[f] for f in self.in_features], masks), dim=1)
