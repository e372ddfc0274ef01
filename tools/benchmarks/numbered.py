"""Video of any length and a detector that costs nothing.

The frames hold their own number in a pixel, from which the detector makes its objects; so a run can begin anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances
from torch import nn

from ictrack.data.frame_stream import FrameStream

HEIGHT, WIDTH = 360, 640
_SIDE = 48  # of an object
_DIM = 128  # of an embedding


class NumberedStream(FrameStream):
    """Gray frames of 640 x 360 pixels whose first pixel is their number."""

    name, height, width, fps = "numbered", HEIGHT, WIDTH, 30.0

    def __init__(self, length: int) -> None:
        self.length: int = length

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        for index in range(self.length):
            frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            frame[0, 0] = (index & 255, index >> 8 & 255, index >> 16)
            yield index, frame


class NumberedDetector(nn.Module):
    """Objects that move through the frame and are replaced by others every ``lifetime`` frames."""

    def __init__(self, num_objects: int = 10, lifetime: int = 200) -> None:
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))  # gives the module a device
        self.num_objects = num_objects
        self.lifetime = lifetime

    def forward(self, batched_inputs: Sequence[dict[str, Any]]) -> list[dict[str, Instances]]:
        (record,) = batched_inputs
        low, middle, high = (int(value) for value in record["image"][:, 0, 0])
        index = low + (middle << 8) + (high << 16)
        masks = torch.zeros(self.num_objects, HEIGHT, WIDTH, dtype=torch.bool)
        embeddings = torch.empty(self.num_objects, _DIM)
        for i in range(self.num_objects):
            life = (index + i * self.lifetime // self.num_objects) // self.lifetime
            rng = np.random.default_rng((i, life))
            x, y = rng.integers(WIDTH - 2 * _SIDE), rng.integers(HEIGHT - _SIDE)
            x += index % _SIDE
            masks[i, y : y + _SIDE, x : x + _SIDE] = True
            embeddings[i] = torch.from_numpy(rng.normal(size=_DIM).astype(np.float32))
        instances = Instances((record["height"], record["width"]))
        instances.pred_boxes = BitMasks(masks).get_bounding_boxes()
        instances.scores = torch.linspace(0.9, 0.7, self.num_objects)
        instances.pred_classes = torch.zeros(self.num_objects, dtype=torch.int64)
        instances.embeddings = embeddings
        instances.pred_masks = masks
        return [{"instances": instances}]
