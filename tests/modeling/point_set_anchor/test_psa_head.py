"""The deformable convolution whose taps lie on an anchor's points."""

import pytest
import torch
from torchvision.ops import deform_conv2d

from ictrack.modeling.point_set_anchor.head import deformable_convolution


@pytest.mark.parametrize("size", [(7, 9), (1, 4), (1, 1), (21, 20)])
def test_values_and_gradients_are_torchvisions(size):
    """With taps inside, across the border and far outside; also where they are read in more than one block."""
    torch.manual_seed(0)
    x = torch.randn(2, 6, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    offsets = 4 * torch.randn(2, 18, *size, dtype=torch.float64)
    ours, theirs = deformable_convolution(x, offsets, weight), deform_conv2d(x, offsets, weight, padding=1)
    torch.testing.assert_close(ours, theirs)
    upstream = torch.randn_like(ours)
    for mine, reference in zip(*(torch.autograd.grad(y, [x, weight], upstream) for y in (ours, theirs))):
        torch.testing.assert_close(mine, reference)


def test_without_offsets_it_is_a_convolution():
    x, weight = torch.randn(1, 3, 5, 6), torch.randn(2, 3, 3, 3)
    expected = torch.nn.functional.conv2d(x, weight, padding=1)
    torch.testing.assert_close(deformable_convolution(x, torch.zeros(1, 18, 5, 6), weight), expected)


def test_fixed_taps_are_the_same_convolution():
    """Of all images, with values and gradients, for two sizes in turn."""
    torch.manual_seed(0)
    weight = torch.randn(4, 6, 3, 3, dtype=torch.float64, requires_grad=True)
    for size in [(7, 9), (1, 4), (7, 9)]:
        x = torch.randn(3, 6, *size, dtype=torch.float64, requires_grad=True)
        offsets = 4 * torch.randn(1, 18, *size, dtype=torch.float64)
        ours = deformable_convolution(x, offsets, weight, is_fixed=True)
        theirs = deform_conv2d(x, offsets.expand(3, -1, -1, -1).contiguous(), weight, padding=1)
        torch.testing.assert_close(ours, theirs)
        upstream = torch.randn_like(ours)
        for mine, reference in zip(*(torch.autograd.grad(y, [x, weight], upstream) for y in (ours, theirs))):
            torch.testing.assert_close(mine, reference)
