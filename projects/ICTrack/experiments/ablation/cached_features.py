"""Frozen features of pictures and of the instances in them, from which embedding heads learn without the pictures.

Naming convention:
    V: pictures, M: instances of all pictures, P: grid cells, C: channels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ictrack.modeling.embedding import InstanceEmbeddingHead

# Pictures that are embedded at a time where nothing is learnt.
_BLOCK = 64


@dataclass
class Pictures:
    """What heads read of V pictures.

    Attributes:
        sources: (V,) int64, the still, frame or clip that each picture shows.
        times: (V,) int64, which view of its source it is, or which frame of the clip.
        owners: (M,) int64, ascending, the picture that each instance is in.
        ids: (M,) int64; equal ids are one object. -1 where that is not known.
        pooled: (M, sum of C_l) float16, the backbone taps averaged over the instance's mask, one behind the other.
        own_cells: (M, 3) int64 (level, row, column), the cell that detected each instance; (0, 3) for stills.
        cells: (P, 5) int64 rows (picture, level, row, column, instance), the cells that SOLO assigns to each mask.
        maps: feature name -> (V, C, h, w) float16. Pyramid levels at the resolution of SOLO's grids, taps averaged
            over large cells.
        colors: (V, 3, h, w) float32 Lab, scaled to about -1 to 1; (0,) where they are not needed.
    """

    sources: Tensor
    times: Tensor
    owners: Tensor
    ids: Tensor
    pooled: Tensor
    own_cells: Tensor
    cells: Tensor
    maps: dict[str, Tensor] = field(default_factory=dict)
    colors: Tensor = field(default_factory=lambda: torch.zeros(0))

    def __len__(self) -> int:
        return len(self.sources)

    @staticmethod
    def concatenate(parts: Sequence[Pictures]) -> Pictures:
        """All pictures of at least one part."""
        first_picture = [sum(len(p) for p in parts[:i]) for i in range(len(parts))]
        first_instance = [sum(len(p.owners) for p in parts[:i]) for i in range(len(parts))]
        offsets = [torch.tensor([v, 0, 0, 0, m]) for v, m in zip(first_picture, first_instance)]
        return Pictures(
            sources=torch.cat([p.sources for p in parts]),
            times=torch.cat([p.times for p in parts]),
            owners=torch.cat([p.owners + v for p, v in zip(parts, first_picture)]),
            ids=torch.cat([p.ids for p in parts]),
            pooled=torch.cat([p.pooled for p in parts]),
            own_cells=torch.cat([p.own_cells for p in parts]),
            cells=torch.cat([p.cells + offset for p, offset in zip(parts, offsets)]),
            maps={name: torch.cat([p.maps[name] for p in parts]) for name in parts[0].maps},
            colors=torch.cat([p.colors for p in parts]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Tensors by name; the inverse is ``Pictures(**d)``."""
        return dict(vars(self))

    def features(self, names: Sequence[str], chosen: Tensor) -> dict[str, Tensor]:
        """float32 maps of chosen pictures (V',)."""
        return {name: self.maps[name][chosen].float() for name in names}

    def of_pictures(self, owners: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Which rows belong to chosen pictures, and the position of each row's picture among these.

        Args:
            owners: (R,) the picture of each row.
            chosen: (V',) pictures, each once.
        """
        position = torch.full((len(self),), -1)
        position[chosen] = torch.arange(len(chosen))
        rows = (position[owners] >= 0).nonzero().squeeze(1)
        return rows, position[owners[rows]]


def read_training(
    head: InstanceEmbeddingHead, pictures: Pictures, chosen: Tensor, widths: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The embeddings that a head's losses compare.

    Args:
        head: reads masks and is linear, or reads cells.
        chosen: (V',) pictures.
        widths: C_l of the taps, for a head that reads masks.

    Returns:
        (P, D) embeddings, one an instance or one an assigned cell, and (P,) the instance of each.
    """
    if head.readout == "mask":
        rows, _ = pictures.of_pictures(pictures.owners, chosen)
        return head.embed_pooled(pictures.pooled[rows].float().split(list(widths), dim=1)), rows
    rows, position = pictures.of_pictures(pictures.cells[:, 0], chosen)
    positives = torch.cat([position[:, None], pictures.cells[rows, 1:]], dim=1)
    embeddings, read = head.read(pictures.features(head.in_features, chosen), [], positives)
    return embeddings, read[:, 1]


@torch.no_grad()
def embed_detections(head: InstanceEmbeddingHead, pictures: Pictures, widths: Sequence[int]) -> Tensor:
    """(M, D): the embedding of each detected instance as a tracker gets it; for a cell read-out at its own cell."""
    if head.readout == "mask":
        return head.embed_pooled(pictures.pooled.float().split(list(widths), dim=1))
    cells = pictures.own_cells.split(torch.bincount(pictures.owners, minlength=len(pictures)).tolist())
    embedded: list[Tensor] = []
    for start in range(0, len(pictures), _BLOCK):
        chosen = torch.arange(start, min(start + _BLOCK, len(pictures)))
        features = pictures.features(head.in_features, chosen)
        embedded += head.embed(features, [], cells[start : start + _BLOCK])
    return torch.cat(embedded)
