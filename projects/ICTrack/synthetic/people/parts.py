"""Parts of a rendered person: tapered rods with round or flat cross-section, and an ellipsoid for the head.

Camera coordinates: x to the right, y down, z towards the viewer, all in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .skeleton import POINT, Body
from .wardrobe import Outfit

# Extent of the head across, up and forward, in units of ``Body.head`` (half of its height).
HEAD_SIZE = (0.76, 1.0, 0.88)
# Facial feature -> longitude (to the person's left), latitude, and height over the surface as a share of the radius.
_FACE = {
    "nose": (0.0, -0.12, 0.16), "left_eye": (0.42, 0.08, 0.0), "right_eye": (-0.42, 0.08, 0.0),
    "left_ear": (1.57, 0.0, 0.02), "right_ear": (-1.57, 0.0, 0.02),
}  # fmt: skip


@dataclass(frozen=True)
class Rod:
    """Tapered part between two points.

    Attributes:
        tile: Name of the texture.
        start, end: (3,) ends of the axis.
        widths: Half widths at both ends, seen from the front.
        caps: Lengths beyond both ends.
        depth: Thickness from front to back over the width.
        yaw: Angle in radians of the front from the viewer, to the viewer's right.
    """

    tile: str
    start: np.ndarray
    end: np.ndarray
    widths: tuple[float, float]
    caps: tuple[float, float]
    depth: float = 1.0
    yaw: float = 0.0


@dataclass(frozen=True)
class Head:
    """Ellipsoid with a texture by longitude and latitude.

    Attributes:
        tile: Name of the texture.
        center: (3,) center.
        axes: (3, 3) left, up and forward half axes as rows, in pixels.
    """

    tile: str
    center: np.ndarray
    axes: np.ndarray

    def extent(self) -> np.ndarray:
        """(2,) half width and half height of the outline."""
        return np.sqrt((self.axes[:, :2] ** 2).sum(axis=0))


@dataclass(frozen=True)
class Viewpoint:
    """View of a person.

    Attributes:
        ground: (2,) x, y in the image of the ground below the pelvis.
        stature: Height of the person in pixels.
        yaw: Angle of the person in radians: 0 faces the viewer, pi / 2 the right of the image.
        pitch: Downward angle of the camera in radians.
    """

    ground: tuple[float, float]
    stature: float
    yaw: float
    pitch: float

    def rotation(self) -> np.ndarray:
        """(3, 3) rotation from the body's frame to the camera's."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        down, along = np.sin(self.pitch), np.cos(self.pitch)
        turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
        return np.array([[1, 0, 0], [0, -along, down], [0, down, along]]) @ turn

    def project(self, points: np.ndarray) -> np.ndarray:
        """Camera coordinates (..., 3) of points (..., 3) in the body's frame."""
        return self.stature * (points @ self.rotation().T) + np.array([*self.ground, 0.0])


def face_points(head: Head) -> dict[str, tuple[np.ndarray, bool]]:
    """Location (3,) of nose, eyes and ears, and whether each is on the side of the head that faces the viewer."""
    points = {}
    for name, (longitude, latitude, out) in _FACE.items():
        unit = np.array([np.sin(longitude) * np.cos(latitude), np.sin(latitude), np.cos(longitude) * np.cos(latitude)])
        normal = (unit / np.linalg.norm(head.axes, axis=1) ** 2) @ head.axes
        # Ears and the tip of the nose stick out and can be seen a little from behind.
        limit = -0.12 if out else 0.0
        points[name] = (
            head.center + (1 + out) * unit @ head.axes,
            bool(normal[2] > limit * np.linalg.norm(normal)),
        )
    return points


def person_parts(
    body: Body, outfit: Outfit, points: np.ndarray, head_rotation: np.ndarray, view: Viewpoint
) -> tuple[list[Rod | Head], Head]:
    """Parts of a person, and the head among them.

    Args:
        body: Proportions of the person.
        outfit: Look of the person.
        points: (len(POINTS), 3) of :func:`place_points`.
        head_rotation: (3, 3) of :func:`place_points`.
        view: View of the person.
    """
    at = view.project(points)
    rotation, scale = view.rotation(), view.stature

    def point(name: str) -> np.ndarray:
        return at[POINT[name]]

    def direction(name: str, other: str) -> np.ndarray:
        return points[POINT[other]] - points[POINT[name]]

    parts: list[Rod | Head] = []

    def rod(
        tile: str, start: np.ndarray, end: np.ndarray, widths: tuple[float, float],
        caps: tuple[float, float] | None = None, depth: float = 1.0, yaw: float = view.yaw,
    ) -> None:  # fmt: skip
        wide = (widths[0] * scale, widths[1] * scale)
        ends = wide if caps is None else (caps[0] * scale, caps[1] * scale)
        parts.append(Rod(tile, start, end, wide, ends, depth, yaw))

    # Shoulders and hips may be turned against each other.
    across = direction("right_shoulder", "left_shoulder")
    chest_yaw = view.yaw + float(np.arctan2(-across[2], across[0]))
    forward = np.array([np.sin(chest_yaw - view.yaw), 0.0, np.cos(chest_yaw - view.yaw)])
    g = body.girth
    waist = (0.72 * body.shoulder + 0.008) * g
    chest_top = point("chest") + scale * rotation @ np.array([0, -0.035, 0.0])
    rod("chest", chest_top, point("waist"), (body.shoulder + 0.012 * g, waist), (0.035, 0.03), 0.62, chest_yaw)
    rod("belly", point("waist"), point("pelvis"), (waist, body.hip + 0.045 * g), (0.03, 0.055), 0.72, view.yaw)
    rod("skin", point("chest"), point("head_bottom"), (0.033 * g, 0.03 * g))
    for side in ("left", "right"):
        rod(f"{side}_sleeve", point(f"{side}_shoulder"), point(f"{side}_elbow"), (0.036 * g, 0.028 * g))
        rod(f"{side}_forearm", point(f"{side}_elbow"), point(f"{side}_wrist"), (0.0285 * g, 0.02 * g))
        rod("skin", point(f"{side}_wrist"), point(f"{side}_hand"), (0.019 * g, 0.021 * g))
        rod(f"{side}_thigh", point(f"{side}_hip"), point(f"{side}_knee"), (0.056 * g, 0.04 * g))
        rod(f"{side}_shin", point(f"{side}_knee"), point(f"{side}_ankle"), (0.0405 * g, 0.026 * g))
        rod("shoe", point(f"{side}_heel"), point(f"{side}_toe"), (0.029 * g, 0.024 * g))
    if outfit.skirt:
        knees = (points[POINT["left_knee"]] + points[POINT["right_knee"]]) / 2
        hem = view.project(points[POINT["pelvis"]] + 0.75 * (knees - points[POINT["pelvis"]]))
        rod("skirt", point("pelvis"), hem, (body.hip + 0.05 * g, body.hip + 0.075 * g), (0.05, 0.012), 0.8, view.yaw)
    if outfit.backpack:
        pack = scale * rotation @ (-forward * (0.62 * body.shoulder + 0.03))
        rod("bag", chest_top + pack, point("waist") + pack, (0.085, 0.092), (0.02, 0.03), 0.65, chest_yaw)
    if outfit.bag_side:
        sign = 1.0 if outfit.bag_side == "left" else -1.0
        beside = view.project(points[POINT["pelvis"]] + np.array([sign * (body.hip + 0.075), -0.01, 0.0]))
        rod("bag", beside, beside + scale * rotation @ np.array([0, -0.075, 0]), (0.06, 0.068), (0.02, 0.02), 0.45,
            view.yaw + sign * np.pi / 2)  # fmt: skip

    axes = scale * body.head * np.diag(HEAD_SIZE) @ (rotation @ head_rotation).T
    head = Head("head", point("head"), axes)
    parts.append(head)
    left, up, front = axes
    nose = face_points(head)["nose"][0]
    parts.append(Rod("skin", head.center + 0.93 * front + 0.12 * up, nose, (0.1 * scale * body.head,) * 2,
                     (0.13 * scale * body.head,) * 2))  # fmt: skip
    parts += _hair(outfit, head.center, left, up, front, scale * body.head)
    return parts, head


def _hair(
    outfit: Outfit, center: np.ndarray, left: np.ndarray, up: np.ndarray, front: np.ndarray, size: float
) -> list[Rod | Head]:
    """Parts that stick out of the head: long hair, a bun, the peak of a cap, ears."""
    parts: list[Rod | Head] = []
    if outfit.hair == "long":
        nape = center - 0.45 * front - 0.1 * up
        parts.append(Rod("hair", nape + 0.4 * up, nape - 1.35 * up - 0.1 * front, (0.72 * size, 0.62 * size),
                         (0.4 * size, 0.25 * size), 0.55, float(np.arctan2(front[0], front[2]))))  # fmt: skip
    elif outfit.hair == "bun":
        knot = center - 0.75 * front + 0.75 * up
        parts.append(Rod("hair", knot, knot + 0.05 * up, (0.42 * size,) * 2, (0.42 * size,) * 2))
    elif outfit.hair == "ponytail":
        root = center - 1.05 * front + 0.35 * up
        parts.append(Rod("hair", root, root - 1.3 * up - 0.35 * front, (0.3 * size, 0.16 * size),
                         (0.25 * size, 0.2 * size)))  # fmt: skip
    elif outfit.hair == "cap":
        for out, half, thick in ((1.05, 0.62, 0.17), (1.4, 0.4, 0.13)):
            peak = center + 0.42 * up + out * front
            parts.append(Rod("hat", peak + half * left, peak - half * left, (thick * size,) * 2, (thick * size,) * 2))
    if outfit.hair != "long":
        for side in (left, -left):
            ear = center + 1.0 * side - 0.02 * up
            parts.append(Rod("skin", ear + 0.12 * up, ear - 0.12 * up, (0.15 * size, 0.11 * size),
                             (0.15 * size, 0.12 * size)))  # fmt: skip
    return parts
