"""Convolutions by Winograd's minimal filtering, against plain ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ictrack.modeling import winograd as module
from ictrack.modeling.winograd import WinogradConv2d, pays_off, transform_filters, use_winograd, winograd


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 2), (5, 4), (7, 9)])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("tiles", [1, 12, 256])
def test_it_is_a_convolution(size, last, tiles, monkeypatch):
    monkeypatch.setattr(module, "_TILES_AT_ONCE", tiles)
    torch.manual_seed(0)
    x = torch.randn(2, 5, *size, dtype=torch.float64)
    weight = torch.randn(3, 5, 3, 3, dtype=torch.float64)
    expected = F.conv2d(x, weight, padding=1)
    given = x.to(memory_format=torch.channels_last) if last else x
    torch.testing.assert_close(winograd(given, transform_filters(weight)), expected, rtol=0, atol=1e-12)


def test_rounding_is_that_of_a_convolution():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 256, 12, 12), torch.randn(256, 256, 3, 3) / 48
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    assert (winograd(x, transform_filters(weight)) - exact).abs().max() < 1e-5


def test_where_it_pays_off(monkeypatch):
    x, weight = torch.zeros(1, 256, 12, 12), torch.zeros(256, 256, 3, 3)
    assert not pays_off(x, weight)
    with torch.no_grad():
        assert pays_off(x, weight)
        assert not pays_off(x, weight[:, :, :1, :1]) and not pays_off(x, weight[:100])
        assert not pays_off(x.double(), weight.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert not pays_off(x, weight)
        monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
        assert not pays_off(x, weight)


def test_plain_convolutions_that_gain_are_replaced():
    """A stride, a dilation, groups, few channels or another size of the kernel: none of them gains."""
    torch.manual_seed(0)
    gains = {"with bias": {"bias": True}, "without": {"bias": False}}
    others = [{"stride": 2}, {"padding": 2, "dilation": 2}, {"groups": 2}, {"padding": 0}, {"kernel_size": 5}]
    convolutions = [nn.Conv2d(192, 192, **{"kernel_size": 3, "padding": 1, **x}) for x in [*gains.values(), *others]]
    convolutions.append(nn.Conv2d(192, 100, 3, padding=1))
    model = nn.ModuleList(convolutions)
    x = torch.randn(1, 192, 7, 9)
    with torch.no_grad():
        expected = [convolution(x) for convolution in model]
        use_winograd(model)
        for convolution, before in zip(model, expected):
            torch.testing.assert_close(convolution(x), before, rtol=0, atol=1e-5)
    assert [type(x) is WinogradConv2d for x in model] == [True, True, *[False] * 6]
