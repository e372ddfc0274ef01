"""Synthetic clip: objects that walk, turn, sway and cross over a moving background, with masks and identities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .assets import Background, Character, Sprite, backgrounds_of, characters_of
from .motion import camera, random_path, smooth_noise, yaw
from .render import Pose, compose
from .scene import ChangingLight, Sensor, View, draw_cast

MIN_OBJECTS, MAX_OBJECTS = 3, 5
MIN_SIZE, MAX_SIZE = 60.0, 125.0
# Camera movement in pixels to either side.
CAMERA_REACH = 36.0
# Width of an object seen from the side, as a share of its width from the front.
THICKNESS = 0.35


@dataclass(frozen=True)
class ClipStyle:
    """Shares and probabilities of a kind of clip."""

    animated_share: float = 0.5
    recolored_probability: float = 0.4
    same_family_probability: float = 0.35
    leaves_probability: float = 0.35
    light_drift: float = 0.12


class Actor:
    """Object of a clip, with all of its movement drawn in advance."""

    def __init__(
        self, rng: np.random.Generator, sprite: Sprite, recolored: bool, length: int, height: int, width: int,
        style: ClipStyle,
    ):  # fmt: skip
        self.sprite, self.recolored = sprite, recolored
        category = sprite.character.category
        size = float(np.exp(rng.uniform(np.log(MIN_SIZE), np.log(MAX_SIZE))))
        speed = size * rng.uniform(0.03, 0.085)
        leaves = bool(rng.random() < style.leaves_probability)
        self.path = random_path(rng, length, height, width, size, speed, leaves)
        self.velocity = np.gradient(self.path, axis=0)
        moving = np.minimum(np.linalg.norm(self.velocity, axis=1) / (0.05 * size), 1.0)
        # Nearer objects are larger and lower in the image.
        self.size = size * (0.65 + 0.55 * self.path[:, 1] / height) * np.exp(0.1 * smooth_noise(rng, length, 50))
        self.yaw = yaw(rng, length, self.velocity[:, 0])
        self.yaw_sway = 0.3 * smooth_noise(rng, length, 28)
        stride = rng.uniform(7, 12)
        gait = np.sin(2 * np.pi * np.arange(length) / stride + rng.uniform(0, 2 * np.pi)) * moving
        if category == "food":  # food rolls as far as it moves
            self.angle = np.rad2deg(np.cumsum(self.velocity[:, 0] / size)) * rng.uniform(0.5, 1.6) + rng.normal(0, 20)
        else:
            self.angle = 7 * smooth_noise(rng, length, 40) + 4 * gait
        self.angle = self.angle + rng.normal(0, 4)
        animated = sprite.character.frames > 1
        self.squash = 0.05 * gait * (1 if not animated else 0.4)
        # Animated characters have their own motion, and vehicles are stiff; others bend.
        bends = not animated and category != "vehicle"
        self.bend = (0.16 * smooth_noise(rng, length, 20) + 0.1 * gait) * bends
        rate = rng.uniform(0.5, 1.4)
        self.frame = np.floor(rng.uniform(0, 36) + np.cumsum(rate * (0.45 + 0.55 * moving))).astype(int)
        self.hop = -0.05 * size * np.abs(gait) * (category in ("person", "animal"))

    def pose(self, time: int, offset: np.ndarray, zoom: float, center: np.ndarray) -> Pose:
        """Pose seen by a camera moved by ``offset`` and zoomed about ``center``."""
        x, y = (self.path[time] + [0, self.hop[time]] - offset - center) * zoom + center
        angle = self.yaw[time] + self.yaw_sway[time]
        cos = np.cos(angle)
        return Pose(
            x=float(x),
            y=float(y),
            size=float(self.size[time] * zoom),
            angle=float(self.angle[time]),
            width=float(np.copysign(max(abs(cos), THICKNESS), cos)),
            height=float(1 + self.squash[time]),
            tilt=float(0.25 * np.sin(angle)),
            bend=float(self.bend[time]),
            frame=int(self.frame[time]),
            velocity=(float(self.velocity[time, 0]), float(self.velocity[time, 1])),
        )


class Clip:
    """Scene over time. Iterate once: (image (H, W, 3) uint8 BGR, [visible mask (H, W) bool of each actor]).

    Attributes:
        characters: (character, whether it is recolored) of each actor.
        background: File of the background.
    """

    def __init__(
        self, rng: np.random.Generator, split: str, index: int, length: int, height: int, width: int, style: ClipStyle
    ):
        """
        Args:
            rng: Generator of everything random in the clip.
            split: Split of characters and backgrounds, "train", "tune" or "val".
            index: Number of the clip among those of its kind; backgrounds take turns.
            length: Number of frames.
            height, width: Size of the images in pixels.
            style: Kind of clip.
        """
        self._rng, self.length, self.height, self.width = rng, length, height, width
        background = _take_turns(backgrounds_of(split), index)
        self.background = background.file
        count = int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1))
        cast = draw_cast(
            rng, characters_of(split), count, style.animated_share, style.recolored_probability,
            style.same_family_probability,
        )  # fmt: skip
        self._actors = [Actor(rng, sprite, recolored, length, height, width, style) for sprite, recolored in cast]
        self.characters: list[tuple[Character, bool]] = [(a.sprite.character, a.recolored) for a in self._actors]
        # Real clips already have a camera movement.
        self._view = View(rng, background, height, width, CAMERA_REACH if background.kind == "photo" else 0.0)
        self._offset, self._zoom = camera(rng, length, self._view.reach)
        self._light = ChangingLight(rng, length, height, width, style.light_drift)
        self._sensor = Sensor(rng, height, width, max_noise=5.0, blur_probability=0.2)

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        center = np.array([self.width, self.height]) / 2
        for time in range(self.length):
            offset, zoom = self._offset[time], self._zoom[time]
            background = self._view.frame(time, offset, zoom)
            poses = [actor.pose(time, offset, zoom, center) for actor in self._actors]
            order = sorted(range(len(poses)), key=lambda i: poses[i].y + 0.4 * poses[i].size)
            lit, masks = compose(background, [(self._actors[i].sprite, poses[i]) for i in order], self._light.at(time))
            by_actor = [masks[order.index(i)] for i in range(len(poses))]
            yield self._sensor.expose(self._rng, lit), by_actor


def _take_turns(backgrounds: tuple[Background, ...], index: int) -> Background:
    """Background of clip ``index``: every third one a clip, the others photos, each kind in its own order."""
    turn, place = divmod(index, 3)
    if place == 1:
        clips = [b for b in backgrounds if b.kind == "clip"]
        return clips[turn % len(clips)]
    photos = [b for b in backgrounds if b.kind == "photo"]
    return photos[(2 * turn + place // 2) % len(photos)]
