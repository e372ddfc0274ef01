"""ICTrack: learning to track instances without video annotations, on Detectron2.

``import ictrack`` is light. The names below import PyTorch and Detectron2, and register every model, head, tracker and
data set with Detectron2's registries and catalogues::

    from ictrack import VideoTracker, add_ictrack_config
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import add_embedding_config, add_ictrack_config, add_tracker_config
    from .engine.video_tracker import VideoTracker

__version__ = "0.1.0"
__all__ = ["VideoTracker", "add_embedding_config", "add_ictrack_config", "add_tracker_config"]

_REGISTERING = ("modeling", "tracking.heads", "data.datasets")
_MODULE_OF = {**dict.fromkeys(__all__, "config"), "VideoTracker": "engine.video_tracker"}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in _REGISTERING:
        importlib.import_module(f"{__name__}.{module}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
