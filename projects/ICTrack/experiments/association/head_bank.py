"""Several embedding heads in one, so that a comparison takes one training and one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from detectron2.structures import Instances
from torch import Tensor, nn

from ictrack.modeling.embedding import EmbeddingHead


class HeadBank(EmbeddingHead):
    """Embedding heads side by side. To be comparable they must not pass gradients into shared features.

    Args:
        heads: Name -> head, all with the same ``reads``. Names are part of checkpoint keys: letters, digits and
            underscores.
        trained: Names of the heads that are trained; the others are frozen.
    """

    def __init__(self, heads: Mapping[str, EmbeddingHead], trained: Sequence[str] = ()) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(heads)
        self.trained = tuple(trained)
        self.in_features = list(dict.fromkeys(name for head in heads.values() for name in head.in_features))
        self.reads = next(iter(heads.values())).reads
        for name, head in heads.items():
            if name not in self.trained:
                head.requires_grad_(False)
        self._shapes: dict[str, torch.Size] = {}

    def __getitem__(self, name: str) -> EmbeddingHead:
        return cast(EmbeddingHead, self.heads[name])

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Losses of the trained heads, "<loss>_<head>" by name; see :class:`EmbeddingHead`."""
        return {
            f"{loss}_{name}": value
            for name in self.trained
            for loss, value in self[name].losses(features, instances, padded_size).items()
        }

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """(N_i, sum of D) concatenated embeddings of each image; :meth:`split` takes them apart."""
        parts = {name: self[name].embed(features, instances, padded_size) for name in self.heads}
        self._shapes = {name: part[0].shape[1:] for name, part in parts.items()}
        return [torch.cat([x.flatten(1) for x in image], dim=1) for image in zip(*parts.values())]

    def split(self, embeddings: Tensor) -> dict[str, Tensor]:
        """Head name -> (N, D) or (N, P, D), from (N, sum of D) embeddings of the last call of ``embed``."""
        parts = embeddings.split([shape.numel() for shape in self._shapes.values()], dim=1)
        return {name: part.unflatten(1, shape) for (name, shape), part in zip(self._shapes.items(), parts)}
