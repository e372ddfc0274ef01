"""Comparison of converted weights with a model: what is set, what is left, and what does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from .coverage import STATISTICS, is_embedding, part_of
from .published.convert import listed
from .weights_file import CheckpointError

_COUNTER = ".num_batches_tracked"


@dataclass(frozen=True)
class Fit:
    """How weights fit a model.

    Attributes:
        weights: Tensors that the model takes, in its own types.
        initial: The model's names that are left at their initialization, as they may be.
        missing: The model's names that the weights should have.
        unexpected: Names that the model lacks.
        shapes: Names of which the shapes differ, with both shapes.
    """

    weights: dict[str, Tensor]
    initial: list[str]
    missing: list[str]
    unexpected: list[str]
    shapes: list[str]

    def problems(self, *, shapes: bool = True) -> str:
        """What does not fit, in one line, with or without other shapes; "" where all fits."""
        kinds = {"missing": self.missing, "not in the model": self.unexpected}
        if shapes:
            kinds["of another shape"] = self.shapes
        return "; ".join(f"{kind} ({len(names)}): {listed(names)}" for kind, names in kinds.items() if names)


def fit_weights(weights: Mapping[str, Tensor], own: Mapping[str, Tensor], *, backbone_only: bool = False) -> Fit:
    """Compare weights with a model.

    What may be left at its initialization: an embedding head of which the weights have nothing, counters of batches,
    the statistics of normalization where the weights have none (they are merged into its other parameters), and with
    ``backbone_only`` every part but the backbone of which the weights have nothing.

    Args:
        weights: Tensors by the model's names.
        own: State dict of the model.
        backbone_only: Whether the weights are a backbone's.
    """
    weights = {name: x for name, x in weights.items() if name in own or not name.endswith(_COUNTER)}
    parts = {part_of(name) for name in weights}
    has_statistics = any(name.endswith(STATISTICS) for name in weights)

    def may_lack(name: str) -> bool:
        part = part_of(name)
        is_optional = is_embedding(part) or (backbone_only and part != "backbone")
        is_default = name.endswith(_COUNTER) or (name.endswith(STATISTICS) and not has_statistics)
        return is_default or (is_optional and part not in parts)

    initial = [name for name in own if name not in weights and may_lack(name)]
    missing = [name for name in own if name not in weights and not may_lack(name)]
    unexpected = [name for name in weights if name not in own]
    shapes = [
        f"{name} {tuple(x.shape)}, the model's {tuple(own[name].shape)}"
        for name, x in weights.items()
        if name in own and x.shape != own[name].shape
    ]
    fitting = {name: x.to(own[name].dtype) for name, x in weights.items() if name in own}
    return Fit(fitting, initial, missing, unexpected, shapes)


def rename_for(model: nn.Module, weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights under the names of a model whose modules accept others: each renames them in place, by its method
    ``rename_weights(weights, prefix)``."""
    renamed = dict(weights)
    for prefix, module in model.named_modules():
        if hasattr(module, "rename_weights"):
            module.rename_weights(renamed, f"{prefix}." if prefix else "")
    return renamed


def load_detector_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load converted weights into a detector; an embedding head that they lack is left unchanged.

    Args:
        model: Detector.
        weights: Of :func:`.published.convert_weights`.

    Raises:
        CheckpointError: tensors are missing, unknown or of another shape; the model is unchanged.
    """
    fit = fit_weights(weights, model.state_dict())
    if problems := fit.problems():
        raise CheckpointError(f"the weights do not fit the model: {problems}")
    model.load_state_dict(fit.weights, strict=False)
