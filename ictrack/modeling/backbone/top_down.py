"""Detectron2's feature pyramid without copies of its largest maps where no gradient is needed."""

from __future__ import annotations

import torch
from detectron2.modeling.backbone import FPN
from torch import Tensor, nn

from ictrack.modeling.tracing import is_exported


class InPlaceFPN(FPN):
    """Pyramid that adds the levels above to the lateral maps in place.

    Detectron2 makes an up-sampled copy of each level, and a third map for the sum. Results are equal to the bit.
    """

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(N, C, H, W) image -> levels by name, from fine to coarse."""
        if torch.is_grad_enabled() or is_exported():
            return super().forward(x)
        bottom_up = self.bottom_up(x)
        levels: list[Tensor] = []
        above: Tensor | None = None
        for name, lateral, output in zip(reversed(self.in_features), self.lateral_convs, self.output_convs):
            total = lateral(bottom_up[name])
            if above is not None:
                # Each pixel of the level above belongs to 2 x 2 pixels.
                total.unflatten(3, (-1, 2)).unflatten(2, (-1, 2)).add_(above[:, :, :, None, :, None])
                if self._fuse_type == "avg":
                    total /= 2
            levels.insert(0, output(total))
            above = total
        if self.top_block is not None:
            name = self.top_block.in_feature
            source = bottom_up[name] if name in bottom_up else levels[self._out_features.index(name)]
            levels.extend(self.top_block(source))
        return dict(zip(self._out_features, levels))


def add_in_place(model: nn.Module) -> None:
    """Make an :class:`InPlaceFPN` of every feature pyramid of Detectron2's, in place."""
    for module in model.modules():
        if type(module) is FPN:
            module.__class__ = InPlaceFPN
