"""SciPy's ``linear_sum_assignment``, without the half second that importing all of ``scipy.optimize`` takes."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader, PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from typing import Any

import numpy as np


def _load() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Function from its own compiled module, which needs nothing else of SciPy, or else from ``scipy.optimize``."""
    scipy = find_spec("scipy")  # finds the package without running it
    folders = [str(Path(folder) / "optimize") for folder in (scipy and scipy.submodule_search_locations) or ()]
    spec = PathFinder.find_spec("_lsap", folders)
    if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
        try:
            module: Any = module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.linear_sum_assignment
        except (ImportError, AttributeError):
            pass
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment


linear_sum_assignment = _load()
