"""Rendering of people and props into an image, far to near, with visible masks and joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import cv2
import numpy as np

from ictrack.structures.joints import COCO_17, POSETRACK_18
from synthetic.characters.assets import Sprite
from synthetic.characters.render import Light, ambient_gain, cast_shadow, illuminate, thumbnail

from .parts import Head, Viewpoint, face_points, person_parts
from .raster import Layer, draw_person
from .skeleton import POINT, Body
from .wardrobe import Atlas, Outfit

# Joints of both data sets.
JOINTS = (*COCO_17.names, *(name for name in POSETRACK_18.names if name not in COCO_17.names))
# Largest depth of a joint below the surface, in statures.
_FLESH = {
    "shoulder": 0.09, "elbow": 0.045, "wrist": 0.04, "hip": 0.12, "knee": 0.06, "ankle": 0.05, "head_bottom": 0.06,
    "head_top": 0.06, "nose": 0.03, "eye": 0.03, "ear": 0.04,
}  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Synthetic person: body proportions, outfit and texture atlas."""

    body: Body
    outfit: Outfit
    atlas: Atlas


@dataclass(frozen=True)
class Figure:
    """Person rendered in one posture from one viewpoint.

    Attributes:
        layer: Rendered person.
        foot: y of the person's foot in the image; lower people are nearer.
        stature: Height of the person in pixels.
        joints: (len(JOINTS), 2) x, y in continuous coordinates.
        unhidden: (len(JOINTS),) bool, False for joints behind another part of the own body.
        head_box: x, y, width, height around the skull and the upper end of the neck.
    """

    layer: Layer
    foot: float
    stature: float
    joints: np.ndarray
    unhidden: np.ndarray
    head_box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Prop:
    """Rendered thing; fields as of :class:`Figure`."""

    layer: Layer
    foot: float
    stature: float


Item = Union[Figure, Prop]


@dataclass(frozen=True)
class Observation:
    """Visibility of a figure in an image.

    Attributes:
        figure: Figure.
        mask: (H, W) bool visible pixels.
        outline_box: x, y, width, height of all its pixels in the image, including hidden ones; zeros without any.
        outline_area: Number of these pixels.
        in_image: (len(JOINTS),) bool, True for joints in the image.
        covered: (len(JOINTS),) bool, True for joints behind another person or thing.
    """

    figure: Figure
    mask: np.ndarray
    outline_box: tuple[int, int, int, int]
    outline_area: int
    in_image: np.ndarray
    covered: np.ndarray


def draw_figure(person: Person, points: np.ndarray, head_rotation: np.ndarray, view: Viewpoint) -> Figure:
    """Figure of a person; points and rotation are those of :func:`place_points` for one posture."""
    parts, head = person_parts(person.body, person.outfit, points, head_rotation, view)
    layer = draw_person(parts, person.atlas)
    camera = view.project(points)
    face = face_points(head)
    locations = np.empty((len(JOINTS), 3))
    unhidden = np.ones(len(JOINTS), bool)
    for i, name in enumerate(JOINTS):
        if name in face:
            locations[i], unhidden[i] = face[name]
        else:
            locations[i] = head.center + head.axes[1] if name == "head_top" else camera[POINT[name]]
        flesh = _FLESH[name.removeprefix("left_").removeprefix("right_")] * view.stature
        unhidden[i] &= layer.depth_at(locations[i]) - locations[i, 2] <= flesh
    box = _head_box(head, camera[POINT["head_bottom"]])
    return Figure(layer, view.ground[1], view.stature, locations[:, :2], unhidden, box)


def _head_box(head: Head, neck: np.ndarray) -> tuple[float, float, float, float]:
    low = np.minimum(head.center[:2] - head.extent(), neck[:2])
    high = np.maximum(head.center[:2] + head.extent(), neck[:2])
    return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])


def draw_prop(sprite: Sprite, x: float, foot: float, size: float, mirrored: bool) -> Prop:
    """Prop of a cut-out character, ``size`` pixels large, that stands at (x, foot) in the image."""
    level = int(np.clip(np.floor(np.log2(max(max(sprite.character.size) / size, 1.0))), 0, len(sprite.levels) - 1))
    image = sprite.frame(0, level)
    scale = size / max(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if mirrored:
        image = np.ascontiguousarray(image[:, ::-1])
    height, width = image.shape[:2]
    return Prop(Layer(round(x - width / 2), round(foot - height), image, np.empty((0, 0), np.float32)), foot, size)


def compose(background: np.ndarray, items: Sequence[Item], light: Light) -> tuple[np.ndarray, list[Observation]]:
    """Draw items over a background.

    Args:
        background: (H, W, 3) uint8 BGR.
        items: Figures and props in any order; those lower in the image are nearer.
        light: Light of the scene.

    Returns:
        (H, W, 3) float32 BGR image, not clipped, and the observation of each figure, in the order of ``items``.
    """
    canvas = background.astype(np.float32)
    shape = background.shape[0], background.shape[1]
    ambient = thumbnail(background)
    order = sorted(range(len(items)), key=lambda i: items[i].foot)
    # 0 is the background; nearer items have larger numbers.
    shown = np.zeros(shape, np.int16)
    outlines = {}
    for number, index in enumerate(order, start=1):
        item = items[index]
        _cast(canvas, item, light)
        outlines[index] = _blend(canvas, shown, number, item, ambient)
    illuminate(canvas, light)
    observations = []
    for index, item in enumerate(items):
        if isinstance(item, Figure):
            number = order.index(index) + 1
            observations.append(_observe(item, shown, number, *outlines[index]))
    return canvas, observations


def _cast(canvas: np.ndarray, item: Item, light: Light) -> None:
    layer = item.layer
    alpha = np.ascontiguousarray(layer.bgra[::2, ::2, 3])
    height, width = layer.bgra.shape[:2]
    matrix = np.array([[2, 0, layer.x], [0, 2, layer.y], [0, 0, 1.0]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) + np.array([layer.x, layer.y])
    cast_shadow(canvas, alpha, matrix, corners, item.foot, item.stature, light)


def _blend(
    canvas: np.ndarray, shown: np.ndarray, number: int, item: Item, ambient: np.ndarray
) -> tuple[tuple[int, int, int, int], int]:
    """Draw an item; return its box (x, y, width, height) and its number of pixels in the image."""
    layer = item.layer
    rows, columns = layer.bgra.shape[:2]
    x0, y0 = max(layer.x, 0), max(layer.y, 0)
    x1, y1 = min(layer.x + columns, canvas.shape[1]), min(layer.y + rows, canvas.shape[0])
    if x0 >= x1 or y0 >= y1:
        return (0, 0, 0, 0), 0
    bgra = layer.bgra[y0 - layer.y : y1 - layer.y, x0 - layer.x : x1 - layer.x].astype(np.float32)
    region = canvas[y0:y1, x0:x1]
    region *= 1 - bgra[..., 3:] * np.float32(1 / 255)
    place = (layer.x + columns / 2, layer.y + rows / 2)
    region += bgra[..., :3] * ambient_gain(ambient, place, canvas.shape[:2])
    opaque = bgra[..., 3] >= 127.5
    shown[y0:y1, x0:x1][opaque] = number
    if not opaque.any():
        return (0, 0, 0, 0), 0
    xs, ys = np.flatnonzero(opaque.any(0)), np.flatnonzero(opaque.any(1))
    box = (int(x0 + xs[0]), int(y0 + ys[0]), int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1)
    return box, int(np.count_nonzero(opaque))


def _observe(figure: Figure, shown: np.ndarray, number: int, box: tuple[int, int, int, int], area: int) -> Observation:
    height, width = shown.shape
    x, y = figure.joints.T
    in_image = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    columns, rows = (np.where(in_image, np.floor(v), 0).astype(int) for v in (x, y))
    covered = in_image & (shown[rows, columns] > number)
    return Observation(figure, shown == number, box, area, in_image, covered)
