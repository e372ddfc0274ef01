"""ONNX files written by hand (onnx.proto3), so that tests need no exporter."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_FLOAT, _INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def tensor(name: str, values: np.ndarray) -> bytes:
    values = np.asarray(values, order="C")
    kind = _FLOAT if values.dtype == np.float32 else _INT64
    return (
        b"".join(field(1, side) for side in values.shape) + field(2, kind) + field(8, name) + field(9, values.tobytes())
    )


def value(name: str, shape: list[int]) -> bytes:
    dims = b"".join(field(1, field(1, side) if side else field(2, "any")) for side in shape)
    return field(1, name) + field(2, field(1, field(1, _FLOAT) + field(2, dims)))


def node(kind: str, inputs: list[str], output: str, **attributes: int | list[int]) -> bytes:
    data = b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, output) + field(4, kind)
    for name, given in attributes.items():
        numbers = b"".join(field(8, number) for number in given) if isinstance(given, list) else field(3, given)
        data += field(5, field(1, name) + numbers + field(20, 7 if isinstance(given, list) else 2))
    return data


def model(
    nodes: list[bytes], constants: list[bytes], inputs: list[bytes], outputs: list[bytes], names: str = ""
) -> bytes:
    graph = b"".join(field(1, one) for one in nodes) + field(2, "graph")
    graph += b"".join(field(5, one) for one in constants) + b"".join(field(11, one) for one in inputs)
    graph += b"".join(field(12, one) for one in outputs)
    data = field(1, 8) + field(8, field(1, "") + field(2, 13)) + field(7, graph)
    return data + (field(14, field(1, "names") + field(2, names)) if names else b"")


def write_color_detector(path: Path, names: str = "{0: 'red', 1: 'green', 2: 'blue'}", size: int = 64) -> Path:
    """A detector (1, 4 + 3, N) of the saturated colors of RGB images, in YOLO's form.

    There is a box of 10 pixels for each cell of 8 pixels, with the color's excess over the two others as score.
    """
    cells = size // 8
    weights = np.full((3, 3, 8, 8), -0.5 / 64, np.float32)
    weights[np.arange(3), np.arange(3)] = 1 / 64
    y, x = np.mgrid[:cells, :cells] * 8.0 + 4
    boxes = np.stack([x.ravel(), y.ravel(), *np.full((2, cells * cells), 10.0)])[None].astype(np.float32)
    nodes = [
        node("Conv", ["images", "weights"], "colors", kernel_shape=[8, 8], strides=[8, 8]),
        node("Reshape", ["colors", "shape"], "scores"),
        node("Concat", ["boxes", "scores"], "output", axis=1),
    ]
    constants = [
        tensor("weights", weights),
        tensor("shape", np.array([1, 3, cells * cells], np.int64)),
        tensor("boxes", boxes),
    ]
    outputs = [value("output", [1, 7, cells * cells])]
    path.write_bytes(model(nodes, constants, [value("images", [1, 3, size, size])], outputs, names))
    return path
