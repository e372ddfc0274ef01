"""Features of a detector's own pass through its backbone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def backbone_pass(backbone: nn.Module) -> Iterator[list[tuple[tuple[int, int], dict[str, Tensor]]]]:
    """List that collects ((H, W) of the input, output features) of every pass of this thread through ``backbone``."""
    passes: list[tuple[tuple[int, int], dict[str, Tensor]]] = []
    thread = threading.get_ident()  # another one may track another video by the same model

    def collect(_module: nn.Module, inputs: tuple[Tensor, ...], output: dict[str, Tensor]) -> None:
        if threading.get_ident() == thread:
            passes.append(((inputs[0].shape[-2], inputs[0].shape[-1]), output))

    handle = backbone.register_forward_hook(collect)
    try:
        yield passes
    finally:
        handle.remove()
