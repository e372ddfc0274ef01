"""Synthetic labeled image: a few people and props on a stage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthetic.characters.scene import Sensor, draw_light, shade_edge

from .cast import draw_people, draw_thing
from .parts import Viewpoint
from .postures import MOVING, ON_THE_SPOT, act, draw_action
from .scene import Item, Observation, compose, draw_figure, draw_prop
from .skeleton import place_points
from .stage import Stage

MAX_PEOPLE = 5
MIN_STATURE, MAX_STATURE = 90.0, 175.0
# Most people roughly face the camera, as in photos.
FACING_SHARE, FACING_SPREAD = 0.7, 0.7
MOVING_SHARE = 0.45
# Frames of the action of which a posture is one moment.
_MOMENTS = 24


@dataclass
class Still:
    """(H, W, 3) uint8 BGR image, observations of its people, and files of the scenery."""

    image: np.ndarray
    people: list[Observation]
    scenery: tuple[str, ...]


def make_still(rng: np.random.Generator, split: str, height: int, width: int) -> Still:
    """Random image from the looks and the scenery of a split."""
    stage = Stage(rng, split, height, width)
    light = draw_light(rng, spread=0.14)
    if rng.random() < 0.3:
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.35, 0.35) * width
        light.shade = shade_edge(height, width, angle, offset, rng.uniform(0.2, 0.5), rng.uniform(4, 30))
    count = int(rng.integers(1, MAX_PEOPLE + 1))
    # People of crowded images are smaller.
    largest = MAX_STATURE if count < 4 else 0.8 * MAX_STATURE
    items: list[Item] = []
    for person in draw_people(rng, split, count, look_alike_probability=0.12, team_probability=0.12):
        stature = float(np.exp(rng.uniform(np.log(MIN_STATURE), np.log(largest))))
        action = draw_action(rng, MOVING if rng.random() < MOVING_SHARE else ON_THE_SPOT)
        phase = rng.uniform(0, 2 * np.pi) + np.arange(_MOMENTS) * 0.5
        moment = act(rng, action, phase)[rng.integers(_MOMENTS)][None]
        points, heads = place_points(person.body, moment)
        # Nearer people are cut off at the lower edge.
        ground = (float(rng.uniform(0, width)), float(stage.place(stature) + rng.normal(0, 4)))
        yaw = rng.normal(0, FACING_SPREAD) if rng.random() < FACING_SHARE else rng.uniform(-np.pi, np.pi)
        view = Viewpoint(ground, stature, float(yaw), stage.pitch)
        items.append(draw_figure(person, points[0], heads[0], view))
    if rng.random() < 0.3:
        foot = float(rng.uniform(0.6, 1.02) * height)
        size = float(stage.stature(foot) * rng.uniform(0.4, 0.9))
        items.append(
            draw_prop(draw_thing(rng, split), float(rng.uniform(0, width)), foot, size, bool(rng.random() < 0.5))
        )
    lit, people = compose(stage.image(), items, light)
    image = Sensor(rng, height, width, max_noise=7.0, blur_probability=0.3).expose(rng, lit)
    return Still(image, people, stage.scenery)
