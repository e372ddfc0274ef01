"""Video of any length and a detector that costs nothing.

The frames hold their own number in a pixel, from which the detector makes its objects; so a run can begin anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ictrack.data.frame_stream import FrameStream
from ictrack.engine.onnx_tracker import ArraysTracker

HEIGHT, WIDTH = 360, 640
_SIDE = 48  # of an object
_DIM = 128  # of an embedding
_NUM_OBJECTS, _LIFETIME = 10, 200  # objects in a frame, frames of their life


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


def numbered_objects(frame: np.ndarray) -> dict[str, np.ndarray]:
    """N objects that move through the frames, each of which is replaced by another one after its life.

    Args:
        frame: BGR uint8 (H, W, 3) of :class:`NumberedStream`.

    Returns:
        Columns of detections: "pred_boxes" (N, 4) XYXY in pixels, "scores" (N,), "pred_classes" (N,), "embeddings"
        (N, D), "pred_masks" (N, H, W) bool.
    """
    low, middle, high = (int(value) for value in frame[0, 0])
    index = low + (middle << 8) + (high << 16)
    masks = np.zeros((_NUM_OBJECTS, HEIGHT, WIDTH), bool)
    embeddings = np.empty((_NUM_OBJECTS, _DIM), np.float32)
    boxes = np.empty((_NUM_OBJECTS, 4), np.float32)
    for i in range(_NUM_OBJECTS):
        life = (index + i * _LIFETIME // _NUM_OBJECTS) // _LIFETIME
        rng = np.random.default_rng((i, life))
        x, y = rng.integers(WIDTH - 2 * _SIDE), rng.integers(HEIGHT - _SIDE)
        x += index % _SIDE
        masks[i, y : y + _SIDE, x : x + _SIDE] = True
        boxes[i] = (x, y, x + _SIDE, y + _SIDE)
        embeddings[i] = rng.normal(size=_DIM)
    scores = np.linspace(0.9, 0.7, _NUM_OBJECTS, dtype=np.float32)
    classes = np.zeros(_NUM_OBJECTS, np.int64)
    return {
        "pred_boxes": boxes,
        "scores": scores,
        "pred_classes": classes,
        "embeddings": embeddings,
        "pred_masks": masks,
    }


class NumberedTracker(ArraysTracker):
    """Tracker of the numbered objects in a process without PyTorch, as that of exported models."""

    def detect(self, frame: np.ndarray, record: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
        return numbered_objects(frame)
