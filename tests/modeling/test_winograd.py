"""Convolutions by Winograd's minimal filtering, against plain ones."""

import pytest
import torch
from torch.nn import functional as F

from ictrack.modeling.winograd import pays_off, transform_filters, winograd


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (2, 2), (5, 4), (7, 9)])
@pytest.mark.parametrize("last", [True, False])
def test_it_is_a_convolution(size, last):
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


def test_where_it_pays_off():
    x, weight = torch.zeros(1, 256, 12, 12), torch.zeros(256, 256, 3, 3)
    assert not pays_off(x, weight)
    with torch.no_grad():
        assert pays_off(x, weight)
        assert not pays_off(x, weight[:, :, :1, :1]) and not pays_off(x, weight[:100])
        assert not pays_off(x.double(), weight.double()) and not pays_off(x.expand(40, -1, -1, -1), weight)
        with torch.autocast("cpu", torch.bfloat16):
            assert not pays_off(x, weight)
