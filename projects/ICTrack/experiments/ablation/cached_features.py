"""Frozen features of pictures and of the instances in them, from which embedding heads learn without the pictures.

Naming convention:
    V: pictures, M: instances of all pictures, P: grid cells, C: channels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor

from ictrack.modeling.embedding import InstanceEmbeddingHead

# Pictures that are embedded at a time where nothing is learnt.
_BLOCK = 64
# Size of cached pictures: what is cached of them has no pixels.
_SIZE = (1, 1)


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

    def instances(self, reads: str, chosen: Tensor, ids: Tensor) -> list[Instances]:
        """Instances of chosen pictures (V',) as the losses of embedding heads take them.

        Args:
            reads: of the head, "masks" (averaged features in their place) or "cells" (those that SOLO assigns).
            chosen: pictures.
            ids: (M,) int64, gt_ids of the instances; those with a negative one are left out.
        """
        if reads == "cells":
            owners, index = self.cells[:, 0].contiguous(), self.cells[:, 4]
            name, field = "grid_cells", self.cells[:, 1:4]
        else:
            owners, index = self.owners, torch.arange(len(self.owners))
            name, field = "pooled_features", self.pooled
        result = []
        for rows in _rows_of(owners, chosen):
            of_picture = index[rows]
            known = ids[of_picture] >= 0
            place = field[rows][known]
            fields = {name: place.float() if name == "pooled_features" else place}
            result.append(Instances(_SIZE, gt_ids=ids[of_picture][known], gt_index=of_picture[known], **fields))
        return result

    def detections(self, chosen: Tensor) -> list[Instances]:
        """All instances of chosen pictures as a detector gives them to an embedding head."""
        return [
            Instances(_SIZE, pooled_features=self.pooled[rows].float(), grid_cells=self.own_cells[rows])
            for rows in _rows_of(self.owners, chosen)
        ]


def _rows_of(owners: Tensor, chosen: Tensor) -> list[slice]:
    """The rows of each chosen picture among rows that are sorted by their owner."""
    first, last = (torch.searchsorted(owners, chosen, right=right).tolist() for right in (False, True))
    return [slice(a, b) for a, b in zip(first, last)]


@torch.no_grad()
def embed_detections(head: InstanceEmbeddingHead, pictures: Pictures) -> Tensor:
    """(M, D): the embedding of each detected instance as a tracker gets it."""
    embedded: list[Tensor] = []
    for start in range(0, len(pictures), _BLOCK):
        chosen = torch.arange(start, min(start + _BLOCK, len(pictures)))
        features = pictures.features(head.in_features, chosen) if head.reads == "cells" else {}
        embedded += head.embed(features, pictures.detections(chosen), _SIZE)
    return torch.cat(embedded)
