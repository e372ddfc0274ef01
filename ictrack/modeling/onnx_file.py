"""ONNX files: what they say of themselves, and running them by OpenCV or, where it is installed, ONNX Runtime.

Only the few fields of the format that are needed are read here (github.com/onnx/onnx, ``onnx.proto3``).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ictrack.structures.protobuf import one_field, read_fields

# Numbers of fields of the messages in onnx.proto3.
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_GRAPH_INITIALIZER, _GRAPH_INPUT = 5, 11
_TENSOR_NAME = 8
_VALUE_NAME, _VALUE_TYPE, _TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_DIM, _DIM_VALUE = 1, 2, 1, 2, 1, 1
_KEY, _VALUE = 1, 2


class OnnxError(ValueError):
    """An ONNX file that is damaged, or cannot be run; the message names it."""


@dataclass(frozen=True)
class OnnxFacts:
    """What a file says of its model.

    Attributes:
        input_name: Name of the image's input.
        input_size: Height and width of the image; None where any size is taken, or it is not said.
        class_names: Names of the classes, as Ultralytics and others write them; None if it is not said.
    """

    input_name: str
    input_size: tuple[int, int] | None
    class_names: list[str] | None


def read_facts(path: str | Path) -> OnnxFacts:
    """Facts of a file. Raises OnnxError if it is no ONNX file, and OSError if it cannot be opened."""
    try:
        model = read_fields(Path(path).read_bytes())
        graph = read_fields(one_field(model, _MODEL_GRAPH))
        tensors = [read_fields(tensor) for number, tensor in graph if number == _GRAPH_INITIALIZER]
        constants = {one_field(tensor, _TENSOR_NAME) for tensor in tensors}
        inputs = [read_fields(value) for number, value in graph if number == _GRAPH_INPUT]
        images = [value for value in inputs if one_field(value, _VALUE_NAME) not in constants]
        metadata = [read_fields(entry) for number, entry in model if number == _MODEL_METADATA]
        properties = {one_field(entry, _KEY).decode(): one_field(entry, _VALUE).decode() for entry in metadata}
        name = one_field(images[0], _VALUE_NAME).decode()
        sides = _shape(images[0])[-2:]
    except (IndexError, KeyError, UnicodeDecodeError, TypeError, AttributeError):
        raise OnnxError(f"{path}: is no ONNX file of a model") from None
    size = (sides[0], sides[1]) if len(sides) == 2 and min(sides) > 0 else None
    return OnnxFacts(name, size, _class_names(properties.get("names", "")))


class OnnxSession:
    """Model of a file, run on one image at a time."""

    def __init__(self, path: str | Path) -> None:
        """Raises OnnxError if the file cannot be run, and OSError if it cannot be opened."""
        self.path = Path(path)
        self.facts = read_facts(path)
        try:
            import onnxruntime
        except ImportError:
            self._runtime = None
            try:
                self._net = cv2.dnn.readNetFromONNX(str(path))
            except cv2.error as error:
                raise OnnxError(f"{path}: OpenCV cannot run it ({_line(error)}); ONNX Runtime may") from None
        else:
            providers = onnxruntime.get_available_providers()
            try:
                self._runtime = onnxruntime.InferenceSession(str(path), providers=providers)
            except Exception as error:  # ONNX Runtime's errors have no common class
                raise OnnxError(f"{path}: ONNX Runtime cannot run it ({_line(error)})") from None

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        """Outputs of the model for a float32 image (1, 3, H, W). Raises OnnxError if the model refuses it."""
        try:
            if self._runtime is not None:
                return list(self._runtime.run(None, {self.facts.input_name: image}))
            self._net.setInput(image)
            return list(self._net.forward(self._net.getUnconnectedOutLayersNames()))
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise OnnxError(f"{self.path}: cannot be run on {image.shape}: {_line(error)}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _class_names(text: str) -> list[str] | None:
    """Names from ``{0: 'person', 1: 'bicycle'}``."""
    try:
        names: Any = ast.literal_eval(text)
        return [str(names[index]) for index in range(len(names))] or None
    except (ValueError, SyntaxError, KeyError, TypeError):
        return None


def _shape(value: list[tuple[int, Any]]) -> list[int]:
    """Sides of an input, 0 where any is taken."""
    tensor = read_fields(one_field(read_fields(one_field(value, _VALUE_TYPE)), _TYPE_TENSOR))
    dims = [read_fields(dim) for number, dim in read_fields(one_field(tensor, _TENSOR_SHAPE)) if number == _SHAPE_DIM]
    return [next((int(side) for number, side in dim if number == _DIM_VALUE), 0) for dim in dims]
