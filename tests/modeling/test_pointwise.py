import pytest
import torch
from detectron2.layers import Conv2d
from torch import nn
from torch.nn import functional as F

from ictrack.modeling.backbone.pointwise import PointwiseConv2d, convolve, use_pointwise

LAYERS = {
    "pointwise": {"kernel_size": 1},
    "pointwise of groups": {"kernel_size": 1, "groups": 2},
    "pointwise of every other pixel": {"kernel_size": 1, "stride": 2},
    "padded": {"kernel_size": 1, "padding": 1},
    "wide": {"kernel_size": 3, "dilation": 2},
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_results_are_those_of_the_layer(name, bias, memory_format, dtype):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 6, bias=bias, **LAYERS[name]).to(dtype, memory_format=memory_format)
    x = torch.randn(2, 8, 7, 5, dtype=dtype).to(memory_format=memory_format)
    torch.testing.assert_close(convolve(x, layer.weight, layer.bias, layer), layer(x))


def test_layers_keep_names_and_gradients():
    torch.manual_seed(0)
    model = nn.Sequential(
        Conv2d(8, 6, 1, activation=F.relu), Conv2d(6, 4, 1, norm=nn.GroupNorm(2, 4)), Conv2d(4, 4, 3)
    ).to(memory_format=torch.channels_last)
    x = torch.randn(2, 8, 7, 5).to(memory_format=torch.channels_last)
    names, expected = model.state_dict().keys(), model(x)
    use_pointwise(model)
    assert [type(module) for module in model] == [PointwiseConv2d, PointwiseConv2d, Conv2d]
    assert model.state_dict().keys() == names
    with torch.no_grad():
        torch.testing.assert_close(model(x), expected)
    model(x).sum().backward()
    assert model[0].weight.grad is not None
