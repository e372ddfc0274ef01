"""Exponential moving average of a model's weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class WeightAverage:
    """Keeps ``average <- decay * average + (1 - decay) * weights`` of everything in a model's state dict.

    The decay is ``min(decay, (1 + n) / (10 + n))`` at the n-th update, so that early averages forget the
    initialisation (Polyak averaging with warm-up). Integer buffers are copied.

    A checkpoint holds the average under "model", because that is what inference uses; ``state_dict`` holds the
    training weights, so that a resumed run goes on where it stopped.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0.0 < decay < 1.0:
            raise ValueError(f"the decay of a weight average lies between 0 and 1, not {decay}")
        self._model = model
        self._decay = decay
        self._updates = 0
        self._average = self._copy_of_model()

    def _copy_of_model(self) -> dict[str, Tensor]:
        return {key: value.detach().clone() for key, value in self._model.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Fold the model's present weights into the average."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
        self._updates += 1
        for key, value in self._model.state_dict().items():
            if value.is_floating_point():
                self._average[key].lerp_(value, 1.0 - decay)
            else:
                self._average[key].copy_(value)

    def average_state_dict(self) -> dict[str, Tensor]:
        """The averaged weights, under the model's own names."""
        return self._average

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model holds the averaged weights inside the ``with`` block, and its own again after it."""
        own = self._copy_of_model()
        self._model.load_state_dict(self._average)
        try:
            yield
        finally:
            self._model.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates, "training_weights": self._copy_of_model()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the average from the model, into which a checkpoint's "model" was just loaded."""
        self._average = self._copy_of_model()
        self._updates = int(state["updates"])
        self._model.load_state_dict(state["training_weights"])
