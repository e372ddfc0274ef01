"""Inputs of SOLO's levels, from the backbone's features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectron2.layers import ShapeSpec
from torch import Tensor

from .layers import resize


@dataclass(frozen=True)
class LevelInputs:
    """Features of the backbone, resized to the strides of the levels.

    Attributes:
        in_features: Backbone feature of each level; a feature may serve several levels.
        strides: Stride of each level's input, even and rising.
    """

    in_features: Sequence[str]
    strides: Sequence[int]

    def __post_init__(self) -> None:
        if any(stride % 2 for stride in self.strides) or list(self.strides) != sorted(self.strides):
            raise ValueError(f"SOLO needs even STRIDES from fine to coarse, got {list(self.strides)}")

    def __call__(self, features: Mapping[str, Tensor], padded_size: tuple[int, int]) -> list[Tensor]:
        """(N, C, H / stride, W / stride) of every level, for (H, W) ``padded_size``. Levels of one source share the
        tensor."""
        sources = dict.fromkeys(zip(self.in_features, self.strides))
        resized = {
            (name, stride): resize(features[name], (padded_size[0] // stride, padded_size[1] // stride))
            for name, stride in sources
        }
        return [resized[source] for source in zip(self.in_features, self.strides)]

    def embedding_features(self, features: dict[str, Tensor], inputs: list[Tensor]) -> dict[str, Tensor]:
        """Features for an embedding head: those of the backbone, with ``in_features`` replaced by the inputs of their
        levels (the finest level's where a feature serves several).

        Args:
            features: Features of the backbone.
            inputs: Inputs of the levels.
        """
        return {**features, **dict(zip(reversed(self.in_features), reversed(inputs)))}

    def embedding_shapes(self, shapes: dict[str, ShapeSpec]) -> dict[str, ShapeSpec]:
        """Shapes of :meth:`embedding_features`, from those of the backbone."""
        finest = dict(zip(reversed(self.in_features), reversed(self.strides)))
        resized = {name: ShapeSpec(channels=shapes[name].channels, stride=stride) for name, stride in finest.items()}
        return {**shapes, **resized}
