"""Reader of files of weights that runs no code from them."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ictrack.structures.array_archive import check_unpacked_size, read_arrays
from ictrack.structures.json_files import ZIP_ERRORS

from .arrays_unpickler import ArraysUnpickler, ForbiddenGlobalError, check_memo, check_names, safe_globals
from .onnx_weights import read_onnx_weights

# Entry of a file that holds a backbone and leaves the rest of a detector as it is initialized.
BACKBONE_ONLY = "backbone_only"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the problem."""


def _read_torch(path: Path) -> Any:
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):
            file.seek(0)
            check_unpacked_size(file)
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    if name.endswith("data.pkl"):
                        check_names(archive.open(name), 1)
        else:  # a number, a version, a description of the computer, and the content, before the tensors' numbers
            file.seek(0)
            check_names(file, 4)
    try:
        with safe_globals():
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # PyTorch's message advises to run the file's code.
        asked = re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", str(error))
        if asked is None:
            raise pickle.UnpicklingError("it is no file of tensors") from error
        raise CheckpointError(f"it asks for {asked[1]}, which a file of weights does not need") from error


def _read_pickle(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            check_memo(file)
            return ArraysUnpickler(file, encoding="latin1").load()
    except ForbiddenGlobalError as error:
        raise CheckpointError(f"it asks for {error}, which a file of weights does not need") from error


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(str(path), "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        marks = {BACKBONE_ONLY: True} if (file.metadata() or {}).get(BACKBONE_ONLY) else {}
        return {"model": weights, **marks}


def _read_npz(path: Path) -> dict[str, Any]:
    return {"model": {name: torch.from_numpy(array) for name, array in read_arrays(path).items()}}


def _read_onnx(path: Path) -> dict[str, Any]:
    return {"model": read_onnx_weights(path)}


# Suffix -> reader; other files are PyTorch's.
_READERS: dict[str, Callable[[Path], Any]] = {
    ".pkl": _read_pickle,
    ".safetensors": _read_safetensors,
    ".npz": _read_npz,
    ".onnx": _read_onnx,
}


def load_weights_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a ``.pth``/``.pt``, ``.pkl``, ``.safetensors``, ``.npz`` or ``.onnx`` file without running code from it.

    Returns:
        The stored dictionary, with the weights under "model" (a bare state dict is wrapped).

    Raises:
        CheckpointError: the file is missing, truncated, not a checkpoint, or holds something other than data.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        content = _READERS.get(path.suffix, _read_torch)(path)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: refused, because {error}") from error
    except Exception as error:  # the readers raise many kinds of error on damaged files
        message = " ".join(str(error).split())
        raise CheckpointError(f"{path}: cannot be read as a checkpoint ({type(error).__name__}: {message})") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a dictionary of weights")
    if "model" not in content and "model_state_dict" not in content:
        content = {"model": content.get("state_dict", content)}
    return content


def _tensor_of(value: Any) -> Tensor:
    """Tensor of a tensor, an array of any byte order or a number.

    Raises:
        TypeError: It is something else, such as lists, which may stand for more numbers than the file holds.
        ValueError: It is a tensor with more numbers than its storage.
    """
    if isinstance(value, Tensor):
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(f"has the shape {tuple(value.shape)}, but the file holds fewer numbers")
        return value.detach()
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        raise TypeError
    array = np.asarray(value)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(array, requirements="W"))  # a copy only of an array that is read-only


def _check_sums(path: Path) -> None:
    """Raise CheckpointError if a part of an archive has not its checksum, which PyTorch does not look at."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except ZIP_ERRORS as error:
        raise CheckpointError(f"{path}: is damaged: {error}") from error
    if damaged:
        raise CheckpointError(f"{path}: is damaged: {damaged} has not its checksum")


def load_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the weights of a file that :func:`load_weights_file` reads, as finite tensors by their names.

    Raises:
        CheckpointError: As :func:`load_weights_file`; or an archive is damaged, or the file holds something other than
            finite numbers under a name.
    """
    content = load_weights_file(path)
    _check_sums(Path(path))
    weights = content.get("model", content.get("model_state_dict"))
    if isinstance(weights, dict):
        weights = weights.get("blobs", weights)  # of Detectron
    if not isinstance(weights, dict) or not weights:
        raise CheckpointError(f"{path}: holds no weights")
    tensors = {}
    for name in list(weights):
        value = weights.pop(name)  # what is copied is not kept
        try:
            tensor = _tensor_of(value)
        except TypeError:
            raise CheckpointError(f"{path}: {name} is a {type(value).__name__}, not a tensor") from None
        except ValueError as error:
            raise CheckpointError(f"{path}: {name} {error}") from None
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {name} holds values that are not finite")
        tensors[name] = tensor
    if all(name.startswith("module.") for name in tensors):  # saved by a wrapper
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors
