"""ICTrack: learning to track instances without video annotations, on Detectron2.

``import ictrack`` is light. ``from ictrack import add_ictrack_config`` imports PyTorch and Detectron2 and registers
every model, head, tracker and data set with Detectron2's registries and catalogues.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"
__all__ = ["add_ictrack_config"]

_REGISTERING_ROOMS = ("modeling", "tracking", "data")


def __getattr__(name: str) -> Any:
    if name == "add_ictrack_config":
        for room in _REGISTERING_ROOMS:
            importlib.import_module(f"ictrack.{room}")
        return importlib.import_module("ictrack.config").add_ictrack_config
    raise AttributeError(f"module 'ictrack' has no attribute {name!r}")
