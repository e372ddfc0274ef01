"""Initializers of ONNX files as tensors (github.com/onnx/onnx, ``onnx.proto3``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ictrack.structures.protobuf import one_field, read_fields, read_varints

# Numbers of fields of the messages in onnx.proto3.
_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_DIMS, _DATA_TYPE, _FLOATS, _INT64S, _NAME, _RAW, _DOUBLES, _LOCATION = 1, 2, 4, 7, 8, 9, 10, 14
# Number of a data type -> little-endian type.
_TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
# Typed fields that hold the data in place of the raw one, as packed numbers of fixed width.
_TYPED = {"<f4": _FLOATS, "<f8": _DOUBLES}


def read_onnx_weights(path: Path) -> dict[str, Tensor]:
    """Initializers of a file by their names.

    Raises:
        ValueError: The data are in other files, or of a type that weights do not have.
        IndexError, KeyError: The file is damaged.
    """
    graph = read_fields(one_field(read_fields(path.read_bytes()), _MODEL_GRAPH))
    tensors = [read_fields(value) for number, value in graph if number == _GRAPH_INITIALIZER]
    return {one_field(fields, _NAME).decode(): _tensor(fields) for fields in tensors}


def _tensor(fields: list[tuple[int, Any]]) -> Tensor:
    name, kind = one_field(fields, _NAME).decode(), one_field(fields, _DATA_TYPE)
    if any(number == _LOCATION and value for number, value in fields):
        raise ValueError(f"the data of {name} are in another file")
    if kind not in _TYPES:
        raise ValueError(f"{name} has the data type {kind}, which weights do not have")
    shape = _numbers(fields, _DIMS)
    dtype = _TYPES[kind]
    data = b"".join(value for number, value in fields if number in (_RAW, _TYPED.get(dtype)))
    if data or dtype != "<i8":
        values = np.frombuffer(data, dtype)
    else:
        values = np.array(_numbers(fields, _INT64S), np.uint64).view(np.int64)
    return torch.from_numpy(values.astype(values.dtype.newbyteorder("=")).reshape(shape).copy())


def _numbers(fields: list[tuple[int, Any]], wanted: int) -> list[int]:
    """Numbers of a repeated field, packed or not."""
    numbers: list[int] = []
    for number, value in fields:
        if number == wanted:
            numbers += [value] if isinstance(value, int) else read_varints(value)
    return numbers
