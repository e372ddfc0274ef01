"""Weights of TensorFlow.js graph models, NanoDet-g and MoveNet MultiPose, under the names of our modules.

A graph model is a JSON file with the nodes of the graph and a manifest of its constants (name, shape, type), and a
binary file with the constants in the manifest's order, perhaps in half precision.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ictrack.structures.json_files import parse_json

# Errors of what is missing in a graph, or of another kind than it should be.
_ERRORS = (KeyError, TypeError, AttributeError, IndexError, OverflowError, RuntimeError)
_TYPES = {"float32": "<f4", "int32": "<i4", "bool": "?", "float16": "<f2"}


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise ValueError(f"the graph is damaged ({type(error).__name__}: {error})") from error


class GraphModel:
    """Nodes and constants of a graph model.

    Attributes:
        nodes: Node by name, as in the JSON: "op", "name", "input".
        constants: Array by name; half-precision ones are converted to float32.
    """

    def __init__(self, graph: bytes, weights: bytes):
        """
        Args:
            graph, weights: Contents of the .json and the .bin file.

        Raises:
            ValueError: If they are damaged, do not belong together or hold other types.
        """
        self.nodes: dict[str, dict[str, Any]] = {}
        self.constants: dict[str, np.ndarray] = {}
        with _damage():
            self._read(parse_json(graph, "the graph"), weights)

    def _read(self, content: Any, weights: bytes) -> None:
        self.nodes = {node["name"]: node for node in content["modelTopology"]["node"]}
        start = 0
        for entry in (entry for group in content["weightsManifest"] for entry in group["weights"]):
            stored = entry.get("quantization", entry)["dtype"]
            if stored not in _TYPES:
                raise ValueError(f"constant {entry['name']} has the type {stored}, none of {', '.join(_TYPES)}")
            count = math.prod(entry["shape"])
            end = start + count * np.dtype(_TYPES[stored]).itemsize
            if end > len(weights):
                raise ValueError(f"the weights end after {len(weights)} bytes, in {entry['name']}")
            array = np.frombuffer(weights[start:end], _TYPES[stored]).reshape(entry["shape"])
            self.constants[entry["name"]] = array.astype(np.float32) if stored == "float16" else array
            start = end
        if start != len(weights):
            raise ValueError(f"the weights have {len(weights)} bytes, the graph lists {start}")

    def convolutions(self) -> Iterator[tuple[str, Tensor, Tensor | None]]:
        """Name, weight (out, in, h, w) and bias of every convolution, in the order of the graph.

        Depthwise weights have one input channel. The bias is an input of a fused node, or that of the Add behind.

        Raises ValueError if the graph is damaged.
        """
        with _damage():
            yield from self._convolutions()

    def _convolutions(self) -> Iterator[tuple[str, Tensor, Tensor | None]]:
        biases = {
            node["input"][0]: node["input"][1]
            for node in self.nodes.values()
            if node["op"] in ("Add", "AddV2", "BiasAdd")
        }
        for name, node in self.nodes.items():
            if "Conv2" not in node["op"]:
                continue
            inputs = node["input"]
            weight = torch.from_numpy(self.constants[inputs[1]].copy())
            weight = weight.permute(2, 3, 0, 1) if "Depthwise" in node["op"] else weight.permute(3, 2, 0, 1)
            bias = self.constants.get(inputs[2] if len(inputs) > 2 else biases.get(name, ""))
            yield name, weight.contiguous(), None if bias is None else torch.from_numpy(bias.copy())


def nanodet_weights(graph: GraphModel, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of a :class:`NanoDet` from the graph of NanoDet-g, whose convolutions are numbered in order.

    Args:
        graph: The graph model.
        expected: State dict of the model, for its names and shapes.

    Raises:
        ValueError: If the graph is not that of the model.
    """
    found = {int(re.search(r"\d*$", name).group() or 0): (w, b) for name, w, b in graph.convolutions()}  # type: ignore[union-attr]
    modules = [name.removesuffix(".weight") for name in expected if name.endswith(".weight")]
    # The graph ends with a tower and an output convolution for each level in turn, the module with all towers first.
    order = [*range(28), 28, 30, 32, 29, 31, 33]
    if sorted(found) != sorted(order) or len(modules) != len(order):
        raise ValueError(f"the graph has {len(found)} convolutions, NanoDet {len(modules)}")
    return _checked({module: found[index] for module, index in zip(modules, order)}, expected)


def movenet_weights(graph: GraphModel, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State dict of a :class:`MoveNet` from the graph of MoveNet MultiPose.

    Args, raises: See :func:`nanodet_weights`.
    """
    return _checked({_movenet_name(name): (w, b) for name, w, b in graph.convolutions()}, expected)


_MOVENET_HEADS = {
    "center_0": "center",
    "box_scale_0": "box_size",
    "box_offset_0": "box_offset",
    "kpt_heatmap_0": "joint_heatmap",
    "kpt_regress_0": "joint_displacement",
    "kpt_offset_0": "joint_offset",
}


def _movenet_name(node: str) -> str:
    """Module of a convolution of the graph. Raises ValueError for an unknown one."""
    parts = node.split("/")
    if head := _MOVENET_HEADS.get(parts[1]):
        if parts[2].startswith("conv2d"):
            return f"heads.{head}.1"
        return f"heads.{head}.0.{'depthwise' if parts[-1] == 'depthwise' else 'pointwise'}"
    patterns = (
        (r"model/Conv1_relu/.*", lambda m: "stem"),
        (r"model/out_relu/.*", lambda m: "output"),
        (r"model/expanded_conv_(depthwise|project)(_BN)?/.*", lambda m: f"blocks.0.{m[1]}"),
        (r"model/block_(\d+)_(expand|depthwise|project)(_relu|_BN)?/.*", lambda m: f"blocks.{m[1]}.{m[2]}"),
        (r"conv2d(?:_(\d+))?/BiasAdd", lambda m: f"laterals.{int(m[1] or 0)}"),
        (r"separable_conv2d(?:_(\d+))?/.*", lambda m: f"merged.{int(m[1] or 0)}.depthwise"),
        (r"re_lu(?:_(\d+))?/Relu", lambda m: f"merged.{int(m[1] or 0)}.pointwise"),
    )
    for pattern, module in patterns:
        if match := re.search(rf"model_1/{pattern}$", node):
            return f"backbone.{module(match)}"
    raise ValueError(f"{node} is no convolution of MoveNet MultiPose")


def _checked(modules: Mapping[str, tuple[Tensor, Tensor | None]], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights and biases by name. Raises ValueError for another shape than expected, or a tensor too many or few."""
    weights = {f"{name}.weight": weight for name, (weight, _) in modules.items()}
    weights |= {f"{name}.bias": bias for name, (_, bias) in modules.items() if bias is not None}
    if differing := sorted(weights.keys() ^ expected.keys()):
        raise ValueError(f"the graph and the model differ in {', '.join(differing)}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)} in the graph, {tuple(expected[name].shape)} in the model"
            )
    return weights
