"""Frozen features of images and of their instances, on which embedding heads are trained without a detector.

Naming convention:
    V: images, M: instances of all images, P: grid cells, C: channels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor

from ictrack.modeling.embedding import InstanceEmbeddingHead

# Images embedded at a time in inference.
_BLOCK = 64
# Image size of the Instances; nothing in them is in pixels.
_SIZE = (1, 1)


@dataclass
class CachedFeatures:
    """Features of V images that embedding heads read.

    Attributes:
        sources: (V,) int64 image, frame or clip that each row is a view of.
        times: (V,) int64 number of the view, or of the frame in its clip.
        owners: (M,) int64, ascending; image of each instance.
        ids: (M,) int64 identity of each instance; -1 where unknown.
        pooled: (M, sum of C_l) float16 backbone taps, averaged over the instance's mask and concatenated.
        own_cells: (M, 3) int64 (level, row, column) of the cell that detected each instance; (0, 3) for images.
        cells: (P, 5) int64 (image, level, row, column, instance) of the cells that SOLO assigns to each mask.
        maps: Feature name -> (V, C, h, w) float16. Pyramid levels at the resolution of SOLO's grids, taps averaged
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
    def concatenate(parts: Sequence[CachedFeatures]) -> CachedFeatures:
        """Concatenation of at least one part; images and instances are renumbered."""
        first_image = [sum(len(p) for p in parts[:i]) for i in range(len(parts))]
        first_instance = [sum(len(p.owners) for p in parts[:i]) for i in range(len(parts))]
        offsets = [torch.tensor([v, 0, 0, 0, m]) for v, m in zip(first_image, first_instance)]
        return CachedFeatures(
            sources=torch.cat([p.sources for p in parts]),
            times=torch.cat([p.times for p in parts]),
            owners=torch.cat([p.owners + v for p, v in zip(parts, first_image)]),
            ids=torch.cat([p.ids for p in parts]),
            pooled=torch.cat([p.pooled for p in parts]),
            own_cells=torch.cat([p.own_cells for p in parts]),
            cells=torch.cat([p.cells + offset for p, offset in zip(parts, offsets)]),
            maps={name: torch.cat([p.maps[name] for p in parts]) for name in parts[0].maps},
            colors=torch.cat([p.colors for p in parts]),
        )

    def to_dict(self) -> dict[str, Any]:
        """Fields by name; the inverse is ``CachedFeatures(**d)``."""
        return dict(vars(self))

    def features(self, names: Sequence[str], chosen: Tensor) -> dict[str, Tensor]:
        """float32 maps of the chosen (V',) images."""
        return {name: self.maps[name][chosen].float() for name in names}

    def instances(self, reads: str, chosen: Tensor, ids: Tensor) -> list[Instances]:
        """Instances of the chosen (V',) images, as the losses of embedding heads take them.

        Args:
            reads: ``EmbeddingHead.reads``: "masks" (pooled features) or "cells" (those that SOLO assigns).
            chosen: (V',) int64 images.
            ids: (M,) int64 gt_ids of the instances; negative ones are left out.
        """
        if reads == "cells":
            owners, index = self.cells[:, 0].contiguous(), self.cells[:, 4]
            name, field = "grid_cells", self.cells[:, 1:4]
        else:
            owners, index = self.owners, torch.arange(len(self.owners))
            name, field = "pooled_features", self.pooled
        result = []
        for rows in _rows_of(owners, chosen):
            of_image = index[rows]
            known = ids[of_image] >= 0
            place = field[rows][known]
            fields = {name: place.float() if name == "pooled_features" else place}
            result.append(Instances(_SIZE, gt_ids=ids[of_image][known], gt_index=of_image[known], **fields))
        return result

    def detections(self, chosen: Tensor) -> list[Instances]:
        """All instances of the chosen (V',) images, as a detector gives them to an embedding head."""
        return [
            Instances(_SIZE, pooled_features=self.pooled[rows].float(), grid_cells=self.own_cells[rows])
            for rows in _rows_of(self.owners, chosen)
        ]


def _rows_of(owners: Tensor, chosen: Tensor) -> list[slice]:
    """Rows of each chosen image; ``owners`` is sorted."""
    first, last = (torch.searchsorted(owners, chosen, right=right).tolist() for right in (False, True))
    return [slice(a, b) for a, b in zip(first, last)]


@torch.no_grad()
def embed_detections(head: InstanceEmbeddingHead, cached: CachedFeatures) -> Tensor:
    """(M, D) embeddings of all detected instances."""
    embedded: list[Tensor] = []
    for start in range(0, len(cached), _BLOCK):
        chosen = torch.arange(start, min(start + _BLOCK, len(cached)))
        features = cached.features(head.in_features, chosen) if head.reads == "cells" else {}
        embedded += head.embed(features, cached.detections(chosen), _SIZE)
    return torch.cat(embedded)
