"""Synthetic labeled image: a few random objects over a photo or a frame of a clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .assets import Character, backgrounds_of, characters_of
from .render import Pose, compose
from .scene import Sensor, View, draw_cast, draw_light, shade_edge

MAX_OBJECTS = 5
MIN_SIZE, MAX_SIZE = 36.0, 150.0
# Share of the images whose background is a frame of a clip.
CLIP_SHARE = 0.4
ANIMATED_SHARE = 0.3


@dataclass
class Still:
    """(H, W, 3) uint8 BGR image, and (character, whether it is recolored, mask) of each object."""

    image: np.ndarray
    objects: list[tuple[Character, bool, np.ndarray]]
    background: str


def make_still(rng: np.random.Generator, split: str, height: int, width: int) -> Still:
    """Random image from the characters and backgrounds of a split."""
    pool = characters_of(split)
    kind = "clip" if rng.random() < CLIP_SHARE else "photo"
    choices = [b for b in backgrounds_of(split) if b.kind == kind]
    background = choices[rng.integers(len(choices))]
    view = View(rng, background, height, width)
    light = draw_light(rng, spread=0.16)
    if rng.random() < 0.3:
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35) * width
        light.shade = shade_edge(height, width, angle, offset, rng.uniform(0.2, 0.5), rng.uniform(4, 30))

    count = int(rng.integers(1, MAX_OBJECTS + 1))
    cast = draw_cast(rng, pool, count, ANIMATED_SHARE, recolored_probability=0.2, same_family_probability=0.15)
    placed = []
    for sprite, recolored in cast:
        # Objects of crowded images are smaller.
        size = float(rng.uniform(MIN_SIZE, MAX_SIZE if count < 4 else 0.75 * MAX_SIZE))
        tumbles = sprite.character.category == "food" or rng.random() < 0.15
        pose = Pose(
            x=float(rng.uniform(0, width)),
            y=float(rng.uniform(0.1 * height, 0.97 * height)),
            size=size,
            angle=float(rng.uniform(-180, 180) if tumbles else rng.normal(0, 12)),
            width=float(rng.choice([-1, 1]) * rng.uniform(0.75, 1.1)),
            height=float(rng.uniform(0.85, 1.1)),
            tilt=float(rng.normal(0, 0.12)),
            bend=float(rng.normal(0, 0.08)),
            frame=int(rng.integers(sprite.character.frames)),
            velocity=(float(rng.normal(0, 6)), float(rng.normal(0, 3))) if rng.random() < 0.15 else (0.0, 0.0),
        )
        placed.append((sprite, recolored, pose))
    # Objects lower in the image are nearer to the camera.
    placed.sort(key=lambda item: item[2].y + 0.4 * item[2].size)
    lit, masks = compose(view.frame(), [(sprite, pose) for sprite, _, pose in placed], light)
    image = Sensor(rng, height, width, max_noise=7.0, blur_probability=0.3).expose(rng, lit)
    objects = [(sprite.character, recolored, mask) for (sprite, recolored, _), mask in zip(placed, masks)]
    return Still(image, objects, background.file)
