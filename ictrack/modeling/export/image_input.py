"""Image of an exported model, as it comes from a decoder, to the network's input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def prepare_image(image: Tensor, mean: Tensor, std: Tensor, divisor: int) -> Tensor:
    """(1, 3, H, W) normalized image, padded with zeros at the bottom and on the right to multiples of ``divisor``.

    Args:
        image: (h, w, 3) uint8.
        mean, std: (3, 1, 1).
        divisor: Divisor of H and W.
    """
    height, width = image.shape[0], image.shape[1]
    normalized = ((image.permute(2, 0, 1).float() - mean) / std)[None]
    return F.pad(normalized, (0, (-width) % divisor, 0, (-height) % divisor))


def image_extent(image: Tensor) -> Tensor:
    """(2,) int64 height and width of an image (h, w, 3), which stay variable in a trace."""
    return torch._shape_as_tensor(image)[:2]


def in_multiples(images: Tensor, divisor: int) -> Tensor:
    """Images (1, 3, H, W) as they are, H and W being multiples of ``divisor``, in the form "n times the divisor".

    From it torch.export derives sides of maps that stay short. Otherwise each layer's is an expression of that of the
    layer before, and in a deep network with TensorFlow's padding comparing them takes hours.
    """
    if torch.compiler.is_compiling():
        for axis in (2, 3):
            images = images.narrow(axis, 0, images.shape[axis] // divisor * divisor)
    return images
