import json

import numpy as np
import pytest
import torch

from ictrack.checkpoint.tensorflow_js import GraphModel, nanodet_weights


def graph_model(weights, *, stored="float16"):
    kernel = {"name": "kernel", "shape": [1, 1, 2, 3], "dtype": "float32"}
    if stored == "float16":
        kernel["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
    bias = {"name": "bias", "shape": [3], "dtype": "float32"}
    nodes = [
        {"name": "convolution", "op": "Conv2D", "input": ["x", "kernel"]},
        {"name": "sum", "op": "Add", "input": ["convolution", "bias"]},
    ]
    content = {"modelTopology": {"node": nodes}, "weightsManifest": [{"paths": ["a.bin"], "weights": [kernel, bias]}]}
    return GraphModel(json.dumps(content).encode(), weights)


def test_a_convolution_and_its_bias():
    kernel, bias = np.arange(6, dtype="<f2"), np.arange(3, dtype="<f4")
    ((name, weight, read),) = graph_model(kernel.tobytes() + bias.tobytes()).convolutions()
    assert name == "convolution" and weight.shape == (3, 2, 1, 1)
    assert weight[:, :, 0, 0].tolist() == [[0, 3], [1, 4], [2, 5]]  # HWIO
    assert torch.equal(read, torch.arange(3.0))


@pytest.mark.parametrize("size", [10, 23, 25])
def test_weights_of_another_length_are_refused(size):
    with pytest.raises(ValueError, match=r"the weights (end after|have)"):
        graph_model(bytes(size))


def test_another_graph_is_refused():
    graph = graph_model(bytes(24))
    with pytest.raises(ValueError, match="1 convolutions, NanoDet 2"):
        nanodet_weights(graph, {"a.weight": torch.zeros(1), "b.weight": torch.zeros(1)})
