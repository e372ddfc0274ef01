"""Exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Moving average ``average <- decay * average + (1 - decay) * weights`` of the trained entries of a state dict.

    The decay is ``min(decay, (1 + n) / (10 + n))`` at the n-th update, so that early averages forget the
    initialization (Polyak averaging with warm-up). Integer buffers are copied; frozen parameters are left out.

    A checkpoint holds the average under "model", for inference; ``state_dict`` holds the training weights, so that a
    resumed run continues where it stopped.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0.0 < decay < 1.0:
            raise ValueError(f"the decay of a weight average must be between 0 and 1, not {decay}")
        self._model = model
        self._decay = decay
        self._updates = 0
        frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        # These share the model's memory, so they follow it.
        self._weights = {name: value for name, value in model.state_dict().items() if name not in frozen}
        self._average = _copy(self._weights)

    def restart(self) -> None:
        """Restart from the model's current weights."""
        self._average = _copy(self._weights)
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the model's current weights to the average."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for name, value in self._weights.items():
            if value.is_floating_point():
                self._average[name].lerp_(value, 1.0 - decay)
            else:
                self._average[name].copy_(value)

    def average_state_dict(self) -> dict[str, Tensor]:
        """State dict of the model with the averaged weights."""
        return {**self._model.state_dict(), **self._average}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Context in which the model holds the averaged weights."""
        own = _copy(self._weights)
        self._load(self._average)
        try:
            yield
        finally:
            self._load(own)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates, "training_weights": _copy(self._weights)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the average from the model, into which a checkpoint's "model" was just loaded."""
        self._average = _copy(self._weights)
        self._updates = int(state["updates"])
        self._load(state["training_weights"])

    @torch.no_grad()
    def _load(self, weights: dict[str, Tensor]) -> None:
        for name, value in self._weights.items():
            value.copy_(weights[name])


def _copy(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}
