"""Checkpoints that are read without running code from the file, and written so that a crash leaves the last one whole."""

from __future__ import annotations

import logging
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.checkpoint import DetectionCheckpointer
from torch import nn

from .weight_average import WeightAverage


class CheckpointError(ValueError):
    """A checkpoint that cannot be read; the message names the file and what is wrong."""


class _ArraysOnlyUnpickler(pickle.Unpickler):
    """Unpickles dictionaries, lists, numbers, strings and NumPy arrays, and nothing that could run code.

    Detectron2's model zoo ships ``.pkl`` files of this kind.
    """

    _ALLOWED = {
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy.core.multiarray", "scalar"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise CheckpointError(f"it asks for {module}.{name}, which a file of weights has no need of")
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


class SafeCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer with restricted reading, atomic writing and a fall-back on resume.

    On ``resume_or_load(..., resume=True)`` a damaged last checkpoint is reported and the newest whole one is used.

    Args:
        model: the model, wrapped for data-parallel training or not.
        save_dir: folder of the checkpoints.
        average: if given, its ``average_state_dict()`` is what is saved under "model" (see ``engine.weight_average``).
        checkpointables: further objects with ``state_dict`` and ``load_state_dict``.
    """

    def __init__(
        self, model: nn.Module, save_dir: str = "", *, average: WeightAverage | None = None, **checkpointables: Any
    ) -> None:
        super().__init__(model, save_dir, **checkpointables)
        self.logger = logging.getLogger(__name__)
        self._average = average

    def _load_file(self, filename: str) -> dict[str, Any]:
        content = load_weights_file(filename)
        if str(filename).endswith(".pkl") and "__author__" not in content:
            # Detectron2's rule for ImageNet and Detectron1 files: names are matched by suffix.
            weights = content["model"].get("blobs", content["model"])
            weights = {key: value for key, value in weights.items() if not key.endswith("_momentum")}
            return {"model": weights, "__author__": "Caffe2", "matching_heuristics": True}
        return content

    def save(self, name: str, **kwargs: Any) -> None:
        """Write ``name.pth`` to a temporary file, flush it to disk, and rename it."""
        if not self.save_dir or not self.save_to_disk:
            return
        data: dict[str, Any] = {
            "model": self.model.state_dict() if self._average is None else self._average.average_state_dict()
        }
        data.update({key: item.state_dict() for key, item in self.checkpointables.items()})
        data.update(kwargs)
        target = Path(self.save_dir) / f"{name}.pth"
        temporary = target.with_suffix(".pth.tmp")
        self.logger.info("Saving checkpoint to %s", target)
        with temporary.open("wb") as file:
            torch.save(data, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        self.tag_last_checkpoint(target.name)

    def resume_or_load(self, path: str, *, resume: bool = True) -> dict[str, Any]:
        """Load the newest readable checkpoint of ``save_dir`` if ``resume``, else ``path`` ("" loads nothing)."""
        if not (resume and self.has_checkpoint()):
            return self.load(path, checkpointables=[])
        last = Path(self.get_checkpoint_file())
        others = sorted(Path(self.save_dir).glob("*.pth"), key=lambda p: p.stat().st_mtime, reverse=True)
        for candidate in [last, *(p for p in others if p != last)]:
            try:
                load_weights_file(candidate)
            except CheckpointError as error:
                self.logger.warning("Skipping a damaged checkpoint: %s", error)
                continue
            return self.load(str(candidate))
        raise CheckpointError(f"{self.save_dir}: none of its checkpoints can be read")
