"""Unpickler of plain data and NumPy arrays of numbers, for the files of Detectron2's model zoo."""

from __future__ import annotations

import pickle
import pickletools
from codecs import encode
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO, Any, BinaryIO

import numpy as np
import torch

_TORCH_VERSION = tuple(int(part) for part in torch.__version__.split(".")[:2])
# Booleans, whole numbers, floats, complex numbers. Objects would be addresses in memory.
_KINDS = "biufc"


class _PickledType:
    """Type of an array as a pickle describes it.

    NumPy's own would take its flags from the file, with which raw bytes can be declared to be objects.
    """

    def __init__(self, name: Any, *_: Any) -> None:
        self._name = name if isinstance(name, str) else ""
        self._order: Any = "="

    def __setstate__(self, state: Any) -> None:
        self._order = state[1] if state[1] in ("<", ">") else "="

    def make(self) -> np.dtype:
        """The type. Raises UnpicklingError if it is not one of numbers."""
        dtype = np.dtype(self._name).newbyteorder(self._order)
        if dtype.kind not in _KINDS:
            raise pickle.UnpicklingError(f"arrays of {self._name} are no weights")
        return dtype


class _Array(np.ndarray):
    """Array that takes its content from a pickle, if that is numbers."""

    def __setstate__(self, state: Any) -> None:
        version, shape, dtype, is_fortran, data = state
        if isinstance(data, str):  # of Python 2
            data = data.encode("latin1")
        if not isinstance(data, bytes):
            raise pickle.UnpicklingError("an array of objects")
        super().__setstate__((version, shape, _made(dtype), is_fortran, data))


def _made(dtype: Any) -> np.dtype:
    if not isinstance(dtype, _PickledType):
        raise pickle.UnpicklingError("an array without a type of numbers")
    return dtype.make()


def _reconstruct(*_: Any) -> np.ndarray:
    return np.ndarray.__new__(_Array, (0,), "b")


def _from_buffer(data: Any, dtype: Any, shape: Sequence[int], order: str, *_: Any) -> np.ndarray:
    return np.frombuffer(data, _made(dtype)).reshape(shape, order=order)  # type: ignore[call-overload]


def _scalar(dtype: Any, data: Any = b"") -> Any:
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, _made(dtype))[0]


# Characters of the longest name of a class or function with its module.
_MAX_NAME = 512
# What files may ask for, and what they get. Modules of NumPy have other names from its version 2 on.
_ARRAY_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numeric", "_frombuffer"): _from_buffer,  # arrays in pickle's protocol 5
    ("multiarray", "_reconstruct"): _reconstruct,
    ("multiarray", "scalar"): _scalar,
}
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): encode,
    ("__builtin__", "bytes"): bytes,  # empty data in pickle's protocol 2
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _PickledType,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for (module, name), function in _ARRAY_FUNCTIONS.items()
    },
}


class _TrainingLog:
    """Stand-in for the training log in mmengine's checkpoints, of which nothing is used."""

    def __setstate__(self, state: Any) -> None:
        pass


def safe_globals() -> AbstractContextManager[Any]:
    """Context in which ``torch.load(weights_only=True)`` also reads what mmengine saves beside weights.

    Nothing of mmengine or NumPy is called: their names stand for the classes and functions of this module.
    """
    if _TORCH_VERSION < (2, 6):  # which cannot give names to others
        return nullcontext()
    given = {f"{module}.{name}": value for (module, name), value in _ALLOWED.items() if module.startswith("numpy")}
    given["mmengine.logging.history_buffer.HistoryBuffer"] = _TrainingLog
    return torch.serialization.safe_globals([(value, name) for name, value in given.items()])


def check_memo(file: BinaryIO) -> None:
    """Raise UnpicklingError if a pickle numbers its objects beyond their count: Python would make room for all numbers.

    Raises ValueError if it is damaged. The file is read to the pickle's end, and then from its beginning again.
    """
    for count, (operation, number, _) in enumerate(pickletools.genops(file)):
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and number not in range(count + 1):
            raise pickle.UnpicklingError(f"it gives the number {number} to one of its first {count + 1} objects")
    file.seek(0)


def check_names(file: IO[bytes], num_pickles: int) -> None:
    """Raise UnpicklingError if one of a file's first pickles is damaged or asks for a name too long to be one, in which
    PyTorch's error message would search for a time that grows with the square of its length."""
    for _ in range(num_pickles):
        try:
            for operation, argument, _ in pickletools.genops(file):
                if operation.name in ("GLOBAL", "INST") and len(str(argument)) > _MAX_NAME:
                    raise pickle.UnpicklingError(f"it asks for a name of {len(str(argument))} characters")
        except ValueError as error:
            raise pickle.UnpicklingError("it is no file of tensors") from error


class ForbiddenGlobalError(pickle.UnpicklingError):
    """A pickle that asks for something else than data."""


class ArraysUnpickler(pickle.Unpickler):
    """Unpickler of dictionaries, lists, numbers, strings and NumPy arrays of numbers.

    Raises:
        ForbiddenGlobalError: The pickle asks for something else.
        UnpicklingError: An array is not of numbers.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ForbiddenGlobalError(f"{module}.{name}")
        return _ALLOWED[module, name]
