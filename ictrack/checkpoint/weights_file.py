"""Reader of files of weights that runs no code from them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the problem."""


class _ArraysOnlyUnpickler(pickle.Unpickler):
    """Unpickler of dictionaries, lists, numbers, strings and NumPy arrays only, as in Detectron2's model zoo."""

    _ALLOWED = {
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),
        ("__builtin__", "bytes"),  # empty data in pickle's protocol 2
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.numeric", "_frombuffer"),  # arrays in pickle's protocol 5
        ("numpy._core.numeric", "_frombuffer"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise CheckpointError(f"it asks for {module}.{name}, which a file of weights does not need")
        if module.startswith("numpy.core"):  # the module's name before NumPy 2
            module = module.replace("numpy.core", "numpy._core" if hasattr(np, "_core") else "numpy.core")
        return super().find_class(module, name)


def load_weights_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a ``.pth``/``.pt``, ``.pkl`` or ``.safetensors`` file without running code from it.

    Returns:
        The stored dictionary, with the weights under "model" (a bare state dict is wrapped).

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint, or holds something other than data.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(str(path))
        elif path.suffix == ".pkl":
            with path.open("rb") as file:
                content = _ArraysOnlyUnpickler(file, encoding="latin1").load()
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: refused, because {error}") from error
    except Exception as error:  # the readers raise many kinds of error on damaged files
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a dictionary of weights")
    if "model" not in content and "model_state_dict" not in content:
        content = {"model": content.get("state_dict", content)}
    return content
