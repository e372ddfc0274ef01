"""Several keypoint embedding heads in the place of one, so that one training and one pass serve a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ictrack.modeling.embedding import KeypointEmbeddingHead


class KeypointHeadBank(KeypointEmbeddingHead):
    """Heads side by side. No gradient of theirs may pass into what they share, or they would not be comparable.

    Args:
        heads: name -> head. Names are parts of the checkpoint's: letters, digits and underscores.
        trained: names of the heads that have losses; the others keep their initial weights.
    """

    def __init__(self, heads: Mapping[str, KeypointEmbeddingHead], trained: Sequence[str] = ()) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(heads)
        self.trained = tuple(trained)
        self.in_features = list(dict.fromkeys(name for head in heads.values() for name in head.in_features))
        for name, head in heads.items():
            if name not in self.trained:
                head.requires_grad_(False)
        self._shapes: dict[str, torch.Size] = {}

    def __getitem__(self, name: str) -> KeypointEmbeddingHead:
        return cast(KeypointEmbeddingHead, self.heads[name])

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """The maps of all heads, which must be of one resolution, one after the other."""
        return torch.cat([self[name](features) for name in self.heads], dim=1)

    def losses(
        self,
        features: dict[str, Tensor],
        keypoints: Sequence[Tensor],
        predicted: Sequence[Tensor],
        people: Sequence[Tensor],
        ids: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """See :class:`KeypointEmbeddingHead`. The head's name is appended to the names of its losses."""
        return {
            f"{loss}_{name}": value
            for name in self.trained
            for loss, value in self[name].losses(features, keypoints, predicted, people, ids).items()
        }

    def embed(self, features: dict[str, Tensor], keypoints: Sequence[Tensor]) -> list[Tensor]:
        """(N_i, sum of what the heads give of a person), to be taken apart by :meth:`split`."""
        parts = {name: self[name].embed(features, keypoints) for name in self.heads}
        self._shapes = {name: part[0].shape[1:] for name, part in parts.items()}
        return [torch.cat([person.flatten(1) for person in image], dim=1) for image in zip(*parts.values())]

    def split(self, embeddings: Tensor) -> dict[str, Tensor]:
        """(N, ...) embeddings of the last call of ``embed`` -> head name -> (N, D) or (N, P, D)."""
        parts = embeddings.split([shape.numel() for shape in self._shapes.values()], dim=1)
        return {name: part.unflatten(1, shape) for (name, shape), part in zip(self._shapes.items(), parts)}
