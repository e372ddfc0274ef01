"""Frozen parts of a model."""

from __future__ import annotations

from typing import TypeVar

from detectron2.config import CfgNode
from torch import nn

# Entries of MODEL.FREEZE.
PARTS = ("backbone", "detector", "image_head")

Model = TypeVar("Model", bound="PartlyFrozen")


class PartlyFrozen(nn.Module):
    """Module that can freeze parts of itself: they get no gradient and stay in evaluation mode, so that the statistics
    of their normalization are frozen, too."""

    _frozen: tuple[nn.Module, ...] = ()

    def freeze(self, *parts: nn.Module) -> None:
        """Freeze submodules permanently."""
        for part in parts:
            part.requires_grad_(False).eval()
        self._frozen += parts

    def train(self: Model, mode: bool = True) -> Model:
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self


def frozen_parts(cfg: CfgNode) -> list[str]:
    """Entries of ``cfg.MODEL.FREEZE``.

    Raises:
        ValueError: If one is not in ``PARTS``.
    """
    if unknown := [name for name in cfg.MODEL.FREEZE if name not in PARTS]:
        raise ValueError(f"MODEL.FREEZE holds {unknown}, expected some of {list(PARTS)}")
    return list(cfg.MODEL.FREEZE)
