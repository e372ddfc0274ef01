"""Convolutions with TensorFlow's padding in a program of torch.export."""

import timm.layers
import torch
from torch import nn
from torch.export import Dim

from ictrack.modeling.backbone.same_padding import pad_by_constants


@torch.no_grad()
def test_a_program_for_all_sizes_equals_the_model():
    torch.manual_seed(0)
    layers = [
        timm.layers.create_conv2d(3, 3, kernel, stride=stride, dilation=dilation, padding="same")
        for kernel, stride, dilation in ((3, 2, 1), (5, 2, 1), (3, 1, 2), (1, 2, 1), ((3, 5), 2, 1))
    ]
    model = nn.Sequential(*layers).eval()
    images = [torch.rand(1, 3, 16 * rows, 16 * columns) for rows, columns in ((4, 6), (7, 3))]
    expected = [model(image) for image in images]
    names = list(model.state_dict())
    pad_by_constants(model)
    assert list(model.state_dict()) == names
    assert all(torch.equal(model(image), e) for image, e in zip(images, expected))
    shapes = ({2: Dim.DYNAMIC, 3: Dim.DYNAMIC},)
    example = (torch.rand(1, 3, 80, 112),)
    program = torch.export.export(model, example, dynamic_shapes=shapes, strict=False).module()
    for image, e in zip(images, expected):
        torch.testing.assert_close(program(image), e)
