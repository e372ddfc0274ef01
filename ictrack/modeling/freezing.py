"""Parts of a model that do not train."""

from __future__ import annotations

from typing import TypeVar

from detectron2.config import CfgNode
from torch import nn

# Entries of MODEL.FREEZE.
PARTS = ("backbone", "detector", "image_head")

Model = TypeVar("Model", bound="PartlyFrozen")


class PartlyFrozen(nn.Module):
    """A module that can freeze parts of itself: they have no gradient and always stay in evaluation mode, so that the
    statistics of their normalisation are frozen, too."""

    _frozen: tuple[nn.Module, ...] = ()

    def freeze(self, *parts: nn.Module) -> None:
        """Freeze submodules for good."""
        for part in parts:
            part.requires_grad_(False).eval()
        self._frozen += parts

    def train(self: Model, mode: bool = True) -> Model:
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self


def frozen_parts(cfg: CfgNode) -> list[str]:
    """Names of the parts that ``cfg.MODEL.FREEZE`` freezes, some of ``PARTS``.

    Raises:
        ValueError: a name that is none of them.
    """
    if unknown := [name for name in cfg.MODEL.FREEZE if name not in PARTS]:
        raise ValueError(f"MODEL.FREEZE holds {unknown}, which are none of {list(PARTS)}")
    return list(cfg.MODEL.FREEZE)
