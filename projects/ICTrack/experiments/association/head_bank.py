"""Several embedding heads in the place of one, so that one training and one pass serve a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from detectron2.structures import Instances
from torch import Tensor, nn

from ictrack.modeling.embedding import EmbeddingHead


class HeadBank(EmbeddingHead):
    """Heads side by side. No gradient of theirs may pass into what they share, or they would not be comparable.

    Args:
        heads: name -> head; they read the same of an instance. Names are parts of the checkpoint's: letters, digits and
            underscores.
        trained: names of the heads that have losses; the others keep their weights.
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
        """See :class:`EmbeddingHead`. The head's name is appended to the names of its losses."""
        return {
            f"{loss}_{name}": value
            for name in self.trained
            for loss, value in self[name].losses(features, instances, padded_size).items()
        }

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """(N_i, sum of the numbers that the heads give an instance), to be taken apart by :meth:`split`."""
        parts = {name: self[name].embed(features, instances, padded_size) for name in self.heads}
        self._shapes = {name: part[0].shape[1:] for name, part in parts.items()}
        return [torch.cat([x.flatten(1) for x in image], dim=1) for image in zip(*parts.values())]

    def split(self, embeddings: Tensor) -> dict[str, Tensor]:
        """(N, ...) embeddings of the last call of ``embed`` -> head name -> (N, D) or (N, P, D)."""
        parts = embeddings.split([shape.numel() for shape in self._shapes.values()], dim=1)
        return {name: part.unflatten(1, shape) for (name, shape), part in zip(self._shapes.items(), parts)}
