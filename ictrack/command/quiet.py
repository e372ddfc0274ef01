"""Warnings of other packages about each other, of which users of a command have nothing."""

from __future__ import annotations

import os
import sys
import warnings

# Beginning of a warning, and its category.
_WARNINGS: tuple[tuple[str, type[Warning]], ...] = (
    ("pkg_resources is deprecated as an API", UserWarning),  # Detectron2's model zoo
    ("`torch.jit.script` is deprecated", FutureWarning),  # Detectron2 and fvcore
)


def hide_warnings_of_others() -> None:
    """Hide known warnings, also in processes that this one starts, unless the user says what to do with warnings."""
    if sys.warnoptions:
        return
    for message, category in _WARNINGS:
        warnings.filterwarnings("ignore", message, category)
    rules = ",".join(f"ignore:{message}:{category.__name__}" for message, category in _WARNINGS)
    os.environ.setdefault("PYTHONWARNINGS", rules)
