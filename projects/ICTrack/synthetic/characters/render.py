"""Rendering of cut-out characters: warp, shade, shadow and blend, with visible masks.

Only the region that an object covers is processed, so an object takes a fraction of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .assets import NUM_LEVELS, Sprite

# Share of a frame's time that the shutter is open, which is the length of motion blur over displacement.
SHUTTER = 0.45
MIN_BLUR = 1.5
MAX_BLUR = 15


@dataclass
class Pose:
    """Location and shape of an object.

    Attributes:
        x, y: Center in pixels.
        size: Length of the longer side in pixels.
        angle: Rotation in the image plane in degrees, clockwise.
        width, height: Factors of the two sides; a negative width mirrors.
        tilt: Perspective, the relative difference in depth between left and right side.
        bend: Sideways shift of the top as a share of the height; the foot stays.
        frame: Index of the animation frame.
        velocity: Pixels a frame, for motion blur.
    """

    x: float
    y: float
    size: float
    angle: float = 0.0
    width: float = 1.0
    height: float = 1.0
    tilt: float = 0.0
    bend: float = 0.0
    frame: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)


@dataclass
class Light:
    """Light of a scene.

    Attributes:
        shadow: Opacity of cast shadows, 0 to 1.
        shear, length: Sideways lean and length of shadows, both over the object's height.
        gain: Exposure of blue, green and red.
        shade: (H, W) factor of the light at each pixel, or None for 1 everywhere.
    """

    shadow: float
    shear: float
    length: float
    gain: np.ndarray
    shade: np.ndarray | None = None


Matrix = np.ndarray
Box = tuple[int, int, int, int]


def compose(
    background: np.ndarray, objects: Sequence[tuple[Sprite, Pose]], light: Light
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Draw ``objects``, far to near, over ``background``.

    Args:
        background: (H, W, 3) uint8 BGR.
        objects: Sprite and pose of each object.
        light: Light of the scene.

    Returns:
        (H, W, 3) float32 BGR image, not clipped, and the visible mask (H, W) bool of each object: pixels where it is at
        least half opaque and no nearer object is.
    """
    canvas = background.astype(np.float32)
    shape = background.shape[0], background.shape[1]
    shown = np.full(shape, -1, np.int16)
    ambient = thumbnail(background)
    for index, (sprite, pose) in enumerate(objects):
        matrix = _placement(sprite, pose)
        cast_sprite_shadow(canvas, sprite, pose, matrix, light)
        box, layer = _warp(sprite, pose, matrix, shape)
        if layer is None:
            continue
        x0, y0, x1, y1 = box
        alpha = layer[..., 3]
        region = canvas[y0:y1, x0:x1]
        region *= 1 - alpha[..., None] * np.float32(1 / 255)
        region += layer[..., :3] * ambient_gain(ambient, (pose.x, pose.y), shape)
        shown[y0:y1, x0:x1][alpha >= 127.5] = index
    illuminate(canvas, light)
    return canvas, [shown == index for index in range(len(objects))]


def _placement(sprite: Sprite, pose: Pose) -> Matrix:
    """(3, 3) homography from the pixels of a full-size frame to the image."""
    height, width = sprite.character.size
    scale = pose.size / max(height, width)
    cos, sin = np.cos(np.deg2rad(pose.angle)), np.sin(np.deg2rad(pose.angle))
    center = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    bend = np.array([[1, -pose.bend * 0.5, 0], [0, 1, 0], [0, 0, 1.0]])
    stretch = np.diag([scale * pose.width, scale * pose.height, 1.0])
    tilt = np.array([[1, 0, 0], [0, 1, 0], [pose.tilt / pose.size, 0, 1.0]])
    place = np.array([[cos, -sin, pose.x], [sin, cos, pose.y], [0, 0, 1.0]])
    return place @ tilt @ stretch @ bend @ center


def _project(matrix: Matrix, sprite: Sprite) -> np.ndarray:
    """(4, 2) corners of the frame in the image."""
    height, width = sprite.character.size
    corners = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1.0]]) @ matrix.T
    return corners[:, :2] / corners[:, 2:]


def _warp(sprite: Sprite, pose: Pose, matrix: Matrix, shape: tuple[int, int]) -> tuple[Box, np.ndarray | None]:
    """Box of the object in the image, and its pixels (h, w, 4) float32; None where it is outside."""
    blur = SHUTTER * np.array(pose.velocity)
    length = min(float(np.linalg.norm(blur)), MAX_BLUR)
    margin = int(np.ceil(length / 2)) + 1 if length >= MIN_BLUR else 1
    corners = _project(matrix, sprite)
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int) - margin, -margin)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + margin, np.array(shape[::-1]) + margin)
    inner = max(x0, 0), max(y0, 0), min(x1, shape[1]), min(y1, shape[0])
    if inner[0] >= inner[2] or inner[1] >= inner[3]:
        return inner, None
    level = _level(sprite, pose)
    image = _swayed(sprite.frame(pose.frame, level), pose.bend)
    to_region = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]]) @ matrix @ np.diag([2.0**level, 2.0**level, 1.0])
    layer = cv2.warpPerspective(image, to_region, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    if length >= MIN_BLUR:
        layer = cv2.filter2D(layer, -1, _line_kernel(blur / np.linalg.norm(blur) * length))
    layer = layer[inner[1] - y0 : inner[3] - y0, inner[0] - x0 : inner[2] - x0]
    return inner, layer.astype(np.float32)


def _level(sprite: Sprite, pose: Pose) -> int:
    """Level of the sprite that is drawn at 1/2 to 1 of its size, so that nothing aliases."""
    ratio = max(sprite.character.size) / max(pose.size, 1.0)
    return int(np.clip(np.floor(np.log2(max(ratio, 1.0))), 0, NUM_LEVELS - 1))


def _swayed(image: np.ndarray, bend: float) -> np.ndarray:
    """Shift the middle sideways against the ends; with the shear of the placement the body bends from its foot."""
    if abs(bend) < 0.02:
        return image
    height, width = image.shape[:2]
    t = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    xs = np.arange(width, dtype=np.float32)[None] + np.float32(bend * height) * t * (1 - t)
    ys = np.broadcast_to(np.arange(height, dtype=np.float32)[:, None], (height, width))
    return cv2.remap(image, xs, np.ascontiguousarray(ys), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _line_kernel(blur: np.ndarray) -> np.ndarray:
    side = 2 * int(np.ceil(np.abs(blur).max() / 2)) + 1
    kernel = np.zeros((side, side), np.uint8)
    half = (side - 1) / 2
    ends = [tuple(round((half + sign * float(v) / 2) * 16) for v in blur) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 255, 1, cv2.LINE_AA, shift=4)
    return kernel.astype(np.float32) / max(int(kernel.sum()), 1)


def cast_sprite_shadow(canvas: np.ndarray, sprite: Sprite, pose: Pose, matrix: Matrix, light: Light) -> None:
    """Draw the shadow of an object; ``matrix`` (3, 3) maps pixels of its full-size frame to the image."""
    level = min(_level(sprite, pose) + 1, NUM_LEVELS - 1)
    alpha = np.ascontiguousarray(sprite.frame(pose.frame, level)[..., 3])
    corners = _project(matrix, sprite)
    foot = corners[:, 1].max() - 0.03 * pose.size
    cast_shadow(canvas, alpha, matrix @ np.diag([2.0**level, 2.0**level, 1.0]), corners, foot, pose.size, light)


def cast_shadow(
    canvas: np.ndarray, alpha: np.ndarray, matrix: Matrix, corners: np.ndarray, foot: float, size: float, light: Light
) -> None:
    """Darken the ground by an object's silhouette, laid down from its foot and blurred by its size.

    Args:
        canvas: (H, W, 3) float32 image, changed in place.
        alpha: (h, w) uint8 silhouette.
        matrix: (3, 3) map from its pixels to the image.
        corners: (4, 2) corners of the silhouette in the image.
        foot: y of the object's foot.
        size: Size of the object in pixels.
        light: Light of the scene.
    """
    if light.shadow <= 0:
        return
    lay = np.array([[1, -light.shear, light.shear * foot], [0, light.length, foot * (1 - light.length)], [0, 0, 1.0]])
    sigma = 0.035 * size + 0.8
    margin = int(np.ceil(2 * sigma))
    laid = corners @ lay[:2, :2].T + lay[:2, 2]
    x0, y0 = np.maximum(np.floor(laid.min(0)).astype(int) - margin, 0)
    x1, y1 = np.minimum(np.ceil(laid.max(0)).astype(int) + margin, canvas.shape[1::-1])
    if x0 >= x1 or y0 >= y1:
        return
    to_region = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]]) @ lay @ matrix
    shadow = cv2.warpPerspective(alpha, to_region, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    shadow = cv2.GaussianBlur(shadow, (0, 0), sigma).astype(np.float32)
    canvas[y0:y1, x0:x1] *= 1 - shadow[..., None] * np.float32(light.shadow / 255)


def illuminate(canvas: np.ndarray, light: Light) -> None:
    """Apply the exposure and the shade of a scene to a (H, W, 3) float32 image in place."""
    canvas *= light.gain.astype(np.float32)
    if light.shade is not None:
        canvas *= light.shade[..., None]


def thumbnail(background: np.ndarray) -> np.ndarray:
    """(6, 10, 3) float32 brightness and color of a background."""
    return cv2.resize(background, (10, 6), interpolation=cv2.INTER_AREA).astype(np.float32)


def ambient_gain(ambient: np.ndarray, center: tuple[float, float], shape: tuple[int, int]) -> np.ndarray:
    """Factors of blue, green and red that adapt an object to the brightness and color around it.

    Args:
        ambient: Result of :func:`thumbnail`.
        center: x, y of the object's center.
        shape: (height, width) of the image.
    """
    rows, columns = ambient.shape[:2]
    spot = (center[0] / shape[1] * columns - 0.5, center[1] / shape[0] * rows - 0.5)
    # Interpolated, so that the gain does not jump while the object moves.
    around = 0.5 * cv2.getRectSubPix(ambient, (1, 1), spot)[0, 0] + 0.5 * ambient.mean((0, 1)) + 1.0
    brightness = around.mean()
    cast = (around / brightness) ** 0.25
    return (np.clip(0.72 + 0.3 * brightness / 128, 0.75, 1.12) * cast).astype(np.float32)
