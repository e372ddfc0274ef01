"""Batch normalization whose statistics are frozen and whose factors and offsets are trained."""

from __future__ import annotations

from detectron2.layers import FrozenBatchNorm2d
from torch import nn


class AffineBatchNorm2d(FrozenBatchNorm2d):
    """Frozen batch normalization with trained ``weight`` and ``bias`` (num_features,), under the same names."""

    def __init__(self, num_features: int, eps: float = 1e-5):
        super().__init__(num_features, eps)
        for name in ("weight", "bias"):
            buffer = self.get_buffer(name)
            delattr(self, name)
            self.register_parameter(name, nn.Parameter(buffer))


def train_norms(model: nn.Module) -> None:
    """Replace the frozen batch normalizations of trained convolutions by :class:`AffineBatchNorm2d`, in place."""
    for module in model.modules():
        norm = getattr(module, "norm", None)
        if isinstance(module, nn.Conv2d) and isinstance(norm, FrozenBatchNorm2d) and module.weight.requires_grad:
            module.norm = AffineBatchNorm2d(norm.num_features, norm.eps)
            module.norm.load_state_dict(norm.state_dict())
