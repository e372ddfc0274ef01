"""Rendering of a person's parts with exact hidden-surface removal, texture and shading. Supersampling smooths edges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .parts import Head, Rod
from .wardrobe import Atlas

# Rendered pixels per image pixel, in each direction.
SUPERSAMPLING = 2
# Direction of the light, and shares of ambient and diffuse light.
_LIGHT = np.array([-0.35, -0.6, 0.72], np.float32)
_AMBIENT, _DIFFUSE = 0.62, 0.48
# Darkening of a surface just behind the edge of a nearer part.
_CONTACT = 0.45
_FAR = np.float32(-1e6)


@dataclass(frozen=True)
class Layer:
    """Rendered person.

    Attributes:
        x, y: Location of the layer's first pixel in the image; may be negative.
        bgra: (h, w, 4) uint8, colors premultiplied.
        depth: (SUPERSAMPLING * h, SUPERSAMPLING * w) float32 depth of the nearest surface towards the viewer in pixels,
            very low where there is none.
    """

    x: int
    y: int
    bgra: np.ndarray
    depth: np.ndarray

    def depth_at(self, point: np.ndarray) -> float:
        """Depth of the nearest surface at (x, y) in continuous coordinates; -inf where there is none."""
        column, row = (int(np.floor(SUPERSAMPLING * v)) for v in (point[0] - self.x, point[1] - self.y))
        if not (0 <= row < self.depth.shape[0] and 0 <= column < self.depth.shape[1]):
            return -np.inf
        depth = float(self.depth[row, column])
        return depth if depth > _FAR else -np.inf


def draw_person(parts: Sequence[Rod | Head], atlas: Atlas) -> Layer:
    """Layer of parts in camera coordinates (pixels, continuous)."""
    low, high = _bounds(parts)
    x0, y0 = np.floor(low).astype(int) - 1
    x1, y1 = np.ceil(high).astype(int) + 1
    buffers = _Buffers((int(y1 - y0) * SUPERSAMPLING, int(x1 - x0) * SUPERSAMPLING), np.array([x0, y0]))
    for part in parts:
        if isinstance(part, Rod):
            buffers.draw_rod(part, atlas)
        else:
            buffers.draw_head(part, atlas)
    return Layer(int(x0), int(y0), buffers.resolve(atlas), buffers.depth)


def _bounds(parts: Sequence[Rod | Head]) -> tuple[np.ndarray, np.ndarray]:
    ends, reaches = [], []
    for part in parts:
        if isinstance(part, Rod):
            ends += [part.start[:2], part.end[:2]]
            reaches += [max(*part.widths, *part.caps)] * 2
        else:
            ends.append(part.center[:2])
            reaches.append(float(part.extent().max()))
    points, reach = np.array(ends), np.array(reaches)[:, None]
    return (points - reach).min(axis=0), (points + reach).max(axis=0)


def _clip(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """``numpy.clip`` without its overhead, which matters for small arrays."""
    return np.minimum(np.maximum(values, np.float32(low)), np.float32(high))


class _Buffers:
    """Depth, atlas coordinates and shade of each pixel, in coordinates of the enlarged layer."""

    def __init__(self, shape: tuple[int, int], origin: np.ndarray):
        self.origin = origin
        self.depth = np.full(shape, _FAR, np.float32)
        self._u = np.zeros(shape, np.float32)
        self._v = np.zeros(shape, np.float32)
        self._shade = np.zeros(shape, np.float32)
        self._xs = np.arange(shape[1], dtype=np.float32)[None] + np.float32(0.5)
        self._ys = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5)

    def draw_rod(self, rod: Rod, atlas: Atlas) -> None:
        start, end = self._to_layer(rod.start), self._to_layer(rod.end)
        widths, caps = (tuple(SUPERSAMPLING * v for v in pair) for pair in (rod.widths, rod.caps))
        # Width and depth of the elliptical cross-section as they are seen from the rod's yaw.
        cos, sin = np.cos(rod.yaw), np.sin(rod.yaw)
        seen = float(np.hypot(cos, rod.depth * sin))
        turned = float(np.arctan2(rod.depth * sin, cos))
        bulge = rod.depth * np.cos(turned) * cos + np.sin(turned) * sin
        slant = rod.depth * np.sin(turned) * cos - np.cos(turned) * sin
        window = self._window(np.stack([start[:2], end[:2]]), max(*widths, *caps))
        if window is None:
            return
        axis = end - start
        length = float(np.hypot(axis[0], axis[1])) + 1e-3
        ex, ey = (np.float32(v / length) for v in axis[:2])
        if length < 0.05:  # seen end on: any direction
            ex, ey = np.float32(0), np.float32(1)
        dx, dy = self._xs[:, window[1]] - np.float32(start[0]), self._ys[window[0]] - np.float32(start[1])
        along = dx * ex + dy * ey
        share = _clip(along * np.float32(1 / length), 0, 1)
        width = (np.float32(widths[1] - widths[0]) * share + np.float32(widths[0])) * np.float32(seen)
        over = along - share * np.float32(length)
        over *= np.where(over < 0, np.float32(1 / caps[0]), np.float32(1 / caps[1]))
        lateral = (dx * ey - dy * ex) / width
        rest = 1 - lateral * lateral - over * over
        height = np.sqrt(np.maximum(rest, 0))
        # ``width`` is the apparent width; the depth depends on the true one.
        depth = np.float32(start[2]) + np.float32(axis[2]) * share
        depth += width * (np.float32(bulge / seen) * height + np.float32(slant / seen) * lateral)
        light = np.float32(_LIGHT[2]) * height + np.float32(_LIGHT[0] * ey - _LIGHT[1] * ex) * lateral
        x, y, w, h = atlas.tiles[rod.tile]
        around = np.arcsin(_clip(lateral, -1, 1)) - np.float32(turned)
        around = around * np.float32(0.5 / np.pi) + np.float32(0.5)
        around -= np.floor(around)
        self._write(window, rest > 0, depth, x + around * np.float32(w), y + share * np.float32(h), light)

    def draw_head(self, head: Head, atlas: Atlas) -> None:
        center = self._to_layer(head.center)
        axes = (SUPERSAMPLING * head.axes).astype(np.float32)
        window = self._window(center[None, :2], SUPERSAMPLING * float(head.extent().max()))
        if window is None:
            return
        # Points p of the ellipsoid have |M p| = 1, where M's rows are the axes over their squared lengths.
        inverse = axes / (axes**2).sum(axis=1, keepdims=True)
        dx, dy = self._xs[:, window[1]] - np.float32(center[0]), self._ys[window[0]] - np.float32(center[1])
        a = float((inverse[:, 2] ** 2).sum())
        flat = [inverse[i, 0] * dx + inverse[i, 1] * dy for i in range(3)]
        b = flat[0] * inverse[0, 2] + flat[1] * inverse[1, 2] + flat[2] * inverse[2, 2]
        c = flat[0] ** 2 + flat[1] ** 2 + flat[2] ** 2 - 1
        root = b * b - np.float32(a) * c
        dz = (np.sqrt(np.maximum(root, 0)) - b) / np.float32(a)
        left, up, front = (flat[i] + inverse[i, 2] * dz for i in range(3))
        x, y, w, h = atlas.tiles[head.tile]
        around = np.arctan2(left, front) * np.float32(0.5 / np.pi) + np.float32(0.5)
        down = np.float32(0.5) - np.arcsin(_clip(up, -1, 1)) * np.float32(1 / np.pi)
        size = np.float32(1 / np.sqrt((axes**2).sum() / 3))
        light = (_LIGHT[0] * dx + _LIGHT[1] * dy + _LIGHT[2] * dz) * size
        self._write(window, root > 0, center[2] + dz, x + around * np.float32(w), y + down * np.float32(h), light)

    def resolve(self, atlas: Atlas) -> np.ndarray:
        """(h, w, 4) uint8 premultiplied BGRA image."""
        filled = self.depth > _FAR
        color = cv2.remap(atlas.image, self._u, self._v, cv2.INTER_LINEAR)
        # Surfaces with nearer surroundings get less light.
        near = np.where(filled, self.depth, np.float32(0))
        side = 2 * (max(self.depth.shape) // 40) + 3
        weight = cv2.blur(filled.astype(np.float32), (side, side))
        nearer = cv2.blur(near, (side, side)) / np.maximum(weight, np.float32(1e-3)) - near
        shade = self._shade * (1 - np.float32(_CONTACT) * np.clip(nearer * np.float32(2.5 / side), 0, 1))
        shade *= filled
        lit = cv2.multiply(color, cv2.merge([shade, shade, shade]), dtype=cv2.CV_8U)
        layer = cv2.merge([*cv2.split(lit), filled.view(np.uint8) * np.uint8(255)])
        height, width = (length // SUPERSAMPLING for length in self.depth.shape)
        self.depth = np.where(filled, self.depth / SUPERSAMPLING, _FAR)
        return cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA)

    def _to_layer(self, point: np.ndarray) -> np.ndarray:
        return SUPERSAMPLING * np.array([point[0] - self.origin[0], point[1] - self.origin[1], point[2]])

    def _window(self, points: np.ndarray, reach: float) -> tuple[slice, slice] | None:
        xs, ys = points.T.tolist()
        x0, x1 = max(int(min(xs) - reach), 0), min(int(max(xs) + reach) + 2, self.depth.shape[1])
        y0, y1 = max(int(min(ys) - reach), 0), min(int(max(ys) + reach) + 2, self.depth.shape[0])
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _write(
        self, window: tuple[slice, slice], inside: np.ndarray, depth: np.ndarray, u: np.ndarray, v: np.ndarray,
        light: np.ndarray,
    ) -> None:  # fmt: skip
        shown = inside & (depth > self.depth[window])
        np.copyto(self.depth[window], depth, where=shown)
        np.copyto(self._u[window], u, where=shown)
        np.copyto(self._v[window], v, where=shown)
        np.copyto(self._shade[window], np.float32(_AMBIENT) + np.float32(_DIFFUSE) * light, where=shown)
