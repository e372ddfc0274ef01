"""Stage: a floor in perspective before a wall or a view, made from parts of photos without people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from synthetic.characters.assets import load_clip, load_photo


@dataclass(frozen=True)
class Scenery:
    """Part of a photo, or of a frame of a clip, without people.

    Attributes:
        file: File of the asset.
        region: Left, top, right and bottom as shares of width and height.
        frame: Frame of a clip.
    """

    file: str
    region: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    frame: int = 0

    def image(self) -> np.ndarray:
        """(h, w, 3) uint8 BGR image."""
        is_clip = self.file.startswith("clips/")
        whole = load_clip(self.file)[self.frame] if is_clip else load_photo(self.file)[0]
        height, width = whole.shape[:2]
        left, top, right, bottom = self.region
        return whole[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]


# Walls behind people and floors below them, by split. Each asset is in its split of the manifest.
WALLS: dict[str, tuple[Scenery, ...]] = {
    "train": (
        Scenery("photos/coco_785.jpg", (0.0, 0.0, 0.42, 0.8)),
        Scenery("photos/coco_128372.jpg", (0.0, 0.05, 0.58, 0.86)),
        Scenery("photos/raccoon.jpg"),
        Scenery("photos/rocket.jpg"),
        Scenery("photos/brick.jpg"),
        Scenery("photos/gravel.jpg"),
        Scenery("clips/bikes.mp4", frame=62),
        Scenery("clips/bikes.mp4", frame=150),
        Scenery("clips/bikes.mp4", frame=180),
        Scenery("clips/bikes.mp4", frame=235),
    ),
    "tune": (
        Scenery("photos/chelsea.jpg"),
        Scenery("photos/coffee.jpg"),
        Scenery("photos/grass.jpg"),
        Scenery("clips/kitten.mp4", frame=10),
        Scenery("clips/kitten.mp4", frame=120),
    ),
    "val": (
        Scenery("photos/china.jpg"),
        Scenery("photos/flower.jpg"),
        Scenery("photos/coco_343934.jpg"),
        Scenery("photos/street.jpg", (0.0, 0.0, 0.75, 0.29)),
        Scenery("clips/dog_and_woman.mp4", (0.45, 0.0, 1.0, 0.8), frame=0),
    ),
}
FLOORS: dict[str, tuple[Scenery, ...]] = {
    "train": (
        Scenery("photos/brick.jpg"),
        Scenery("photos/gravel.jpg"),
        Scenery("photos/coco_785.jpg", (0.0, 0.4, 0.42, 0.8)),
        Scenery("clips/bikes.mp4", (0.0, 0.72, 0.38, 1.0), frame=235),
    ),
    "tune": (Scenery("photos/grass.jpg"), Scenery("photos/coffee.jpg", (0.75, 0.02, 1.0, 0.45))),
    "val": (
        Scenery("photos/street.jpg", (0.0, 0.68, 0.75, 1.0)),
        Scenery("photos/coco_343934.jpg", (0.1, 0.85, 0.95, 1.0)),
        Scenery("clips/dog_and_woman.mp4", (0.55, 0.7, 1.0, 1.0), frame=0),
    ),
}
# Height of the horizon as a share of the image's, and stature in pixels at the foot of the wall, below anybody's.
_HORIZONS = (0.15, 0.42)
_STATURES_AT_WALL = (28.0, 54.0)
# Height of the camera above the floor in statures.
_CAMERA_HEIGHTS = (0.8, 1.25)


class Stage:
    """Scenery for people, larger than the image by the camera's movement.

    Attributes:
        scenery: Files of the assets.
        pitch: Downward angle of the camera in radians.
        foot: y in the image where the wall meets the floor.
    """

    def __init__(
        self, rng: np.random.Generator, split: str, height: int, width: int, reach: tuple[int, int] = (0, 0),
        turn: int | None = None,
    ):  # fmt: skip
        """
        Args:
            rng: Generator.
            split: Split of the scenery.
            height, width: Size of the image.
            reach: Largest movement of the camera in pixels to either side, in x and y.
            turn: Number of the split's wall; None for a random one.
        """
        self.height, self.width, self.reach = height, width, reach
        walls, floors = WALLS[split], FLOORS[split]
        wall = walls[(int(rng.integers(len(walls))) if turn is None else turn) % len(walls)]
        floor = floors[rng.integers(len(floors))]
        self.scenery = tuple(sorted({wall.file, floor.file}))
        self._horizon = rng.uniform(*_HORIZONS) * height
        self._camera_height = rng.uniform(*_CAMERA_HEIGHTS)
        self.pitch = float(rng.uniform(0.02, 0.2))
        self.foot = float(self.place(rng.uniform(*_STATURES_AT_WALL)))
        canvas_height, canvas_width = height + 2 * reach[1], width + 2 * reach[0]
        line = round(self.foot) + reach[1]
        self._canvas = np.empty((canvas_height, canvas_width, 3), np.uint8)
        self._canvas[:line] = _view(rng, wall.image(), line, canvas_width)
        self._canvas[line:] = self._floor(rng, floor.image(), line)
        # The corner between wall and floor is darker.
        distance = np.abs(np.arange(canvas_height) - line) / (0.06 * height)
        dim = (1 - 0.35 * np.exp(-distance)).astype(np.float32)[:, None, None]
        self._canvas = (self._canvas * dim).astype(np.uint8)

    def stature(self, y: float | np.ndarray) -> float | np.ndarray:
        """Height in pixels of a person who stands at ``y`` in the image."""
        return (y - self._horizon) / self._camera_height

    def place(self, stature: float | np.ndarray) -> float | np.ndarray:
        """y in the image at which a person is ``stature`` pixels tall."""
        return self._horizon + stature * self._camera_height

    def image(self, offset: Sequence[float] = (0.0, 0.0), zoom: float = 1.0) -> np.ndarray:
        """(height, width, 3) uint8 BGR image.

        Args:
            offset: Camera movement in pixels, at most ``reach``.
            zoom: Magnification about the image's center, at least 1.
        """
        center = np.array([self.width, self.height]) / 2
        # Pixel centers are at half-integers; the image's (0, 0) is the canvas's ``reach``.
        shift = center * (1 - 1 / zoom) + np.array(offset) + self.reach + (1 / zoom - 1) / 2
        matrix = np.array([[1 / zoom, 0, shift[0]], [0, 1 / zoom, shift[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (self.width, self.height)
        return cv2.warpAffine(self._canvas, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)

    def _floor(self, rng: np.random.Generator, texture: np.ndarray, line: int) -> np.ndarray:
        """Rows from ``line`` on: the texture laid down to the horizon, repeated by mirroring."""
        height, width = self._canvas.shape[0] - line, self._canvas.shape[1]
        horizon = self._horizon + self.reach[1] - line  # above these rows
        if rng.random() < 0.5:
            texture = texture[:, ::-1]
        near = height - horizon
        scale = rng.uniform(0.7, 1.3) * max(1.0, min(texture.shape[:2]) / 300)
        across = np.array([scale * near, 0, -scale * near * width / 2])
        start = rng.uniform(0, texture.shape[0])
        along = np.array([0, start, scale * near * near * rng.uniform(0.5, 0.9) - start * horizon])
        matrix = np.stack([across, along, [0, 1, -horizon]])
        # Far away many pixels of the texture fall on one, so it is smoothed.
        smooth = cv2.GaussianBlur(texture, (0, 0), 0.6 * scale)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpPerspective(smooth, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT)


def _view(rng: np.random.Generator, image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Random window of an image with the given aspect, resized."""
    rows, columns = image.shape[:2]
    scale = min(rows / height, columns / width) * rng.uniform(0.75, 1.0)
    window = (max(int(height * scale), 2), max(int(width * scale), 2))
    top, left = (int(rng.integers(0, side - part + 1)) for side, part in zip((rows, columns), window))
    part = image[top : top + window[0], left : left + window[1]]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    return cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR)
