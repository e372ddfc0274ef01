"""Scenes of images and clips: cast, light, background and the camera's sensor."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .assets import (
    CATEGORIES,
    CATEGORY_WEIGHTS,
    Background,
    Character,
    Sprite,
    load_clip,
    load_photo,
    load_sprite,
    recolor,
)
from .motion import smooth_noise
from .render import Light

# Tints of blue, green and red for look-alikes of characters with little color.
TINTS = ((0.5, 0.62, 1.0), (1.0, 0.72, 0.5), (0.55, 1.0, 0.62), (1.0, 0.55, 0.9), (0.42, 0.85, 1.0))


def draw_character(rng: np.random.Generator, pool: Sequence[Character], animated_share: float) -> Character:
    """Random character, drawn by category, then family, then character, so that large families do not prevail.

    Args:
        rng: Generator.
        pool: Characters.
        animated_share: Probability of drawing only among animated characters.
    """
    if rng.random() < animated_share:
        pool = [c for c in pool if c.frames > 1]
    weights = np.array([w * any(c.category == n for c in pool) for n, w in zip(CATEGORIES, CATEGORY_WEIGHTS)])
    category = CATEGORIES[rng.choice(len(CATEGORIES), p=weights / weights.sum())]
    families = sorted({c.family for c in pool if c.category == category})
    family = families[rng.integers(len(families))]
    members = [c for c in pool if c.category == category and c.family == family]
    return members[rng.integers(len(members))]


def draw_look_alike(rng: np.random.Generator, sprite: Sprite) -> Sprite:
    """Character in a clearly different color."""
    return recolor(sprite, rng.uniform(70, 290), TINTS[rng.integers(len(TINTS))])


def draw_cast(
    rng: np.random.Generator,
    pool: Sequence[Character],
    count: int,
    animated_share: float,
    recolored_probability: float,
    same_family_probability: float,
) -> list[tuple[Sprite, bool]]:
    """(sprite, whether it is recolored) of ``count`` objects that all look different.

    Args:
        rng: Generator.
        pool: Characters.
        count: Number of objects.
        animated_share: See :func:`draw_character`.
        recolored_probability: Probability that one object is another one recolored.
        same_family_probability: Probability that otherwise one object is of another one's family.
    """
    cast = [load_sprite(draw_character(rng, pool, animated_share))]
    recolored = [False]
    kind = rng.random()
    if count > 1 and kind < recolored_probability:
        cast.append(draw_look_alike(rng, cast[0]))
        recolored.append(True)
    elif count > 1 and kind < recolored_probability + same_family_probability:
        first = cast[0].character
        relatives = [c for c in pool if c.family == first.family and c != first]
        if relatives:
            cast.append(load_sprite(relatives[rng.integers(len(relatives))]))
            recolored.append(False)
    while len(cast) < count:
        character = draw_character(rng, pool, animated_share)
        if all(character != sprite.character for sprite in cast):
            cast.append(load_sprite(character))
            recolored.append(False)
    return list(zip(cast, recolored))


def draw_light(rng: np.random.Generator, spread: float) -> Light:
    """Random light of a scene.

    Args:
        rng: Generator.
        spread: Spread of exposure and color temperature; 0 is neutral.
    """
    warm = rng.normal(0, 0.5 * spread)
    gain = np.exp(rng.normal(0, spread)) * np.exp([-warm, rng.normal(0, 0.1 * spread), warm])
    return Light(
        shadow=float(rng.uniform(0.3, 0.6)) if rng.random() < 0.85 else 0.0,
        shear=float(rng.uniform(-0.9, 0.9)),
        length=float(rng.uniform(0.18, 0.45)),
        gain=np.clip(gain, 0.55, 1.6),
    )


def shade_edge(height: int, width: int, angle: float, offset: float, depth: float, softness: float) -> np.ndarray:
    """(height, width) factors of a soft border between light and shade.

    Args:
        height, width: Size of the image.
        angle: Angle of the border's normal in radians.
        offset: Distance of the border from the image's center in pixels.
        depth: Share of the light that is missing in the shade.
        softness: Width of the transition in pixels.
    """
    xs = (np.arange(width, dtype=np.float32) - width / 2) * np.float32(np.cos(angle))
    ys = (np.arange(height, dtype=np.float32) - height / 2) * np.float32(np.sin(angle))
    distance = (xs[None] + ys[:, None] - np.float32(offset)) / np.float32(softness)
    return 1 - np.float32(depth) / (1 + np.exp(-np.clip(distance, -20, 20)))


class ChangingLight:
    """Light of a clip: exposure and color drift, and in some clips the border of a shade moves."""

    def __init__(self, rng: np.random.Generator, length: int, height: int, width: int, drift: float):
        """
        Args:
            rng: Generator.
            length: Number of frames.
            height, width: Size of the image.
            drift: Drift of the logarithm of the exposure; that of the color temperature is half of it.
        """
        self._light = draw_light(rng, spread=0.1)
        self._gain = self._light.gain
        self._exposure = np.exp(drift * smooth_noise(rng, length, 45))
        self._warmth = 0.5 * drift * smooth_noise(rng, length, 60)
        self._size = height, width
        self._shade_angle = rng.uniform(0, 2 * np.pi)
        self._shade_depth = rng.uniform(0.2, 0.5) if rng.random() < 0.4 else 0.0
        self._shade_offset = smooth_noise(rng, length, 80) * 0.4 * width
        self._shade_softness = rng.uniform(4, 30)

    def at(self, time: int) -> Light:
        """Light of a frame, always the same object."""
        warmth = self._warmth[time]
        self._light.gain = self._gain * self._exposure[time] * np.exp([-warmth, 0, warmth])
        if self._shade_depth:
            self._light.shade = shade_edge(
                *self._size, self._shade_angle, self._shade_offset[time], self._shade_depth, self._shade_softness
            )
        return self._light


def _response() -> np.ndarray:
    """Sensor output for light 0 to 511: linear, with a soft shoulder instead of clipped highlights."""
    light = np.arange(512)
    knee, room = 205, 50
    return np.where(light <= knee, light, knee + room * (1 - np.exp((knee - light) / room))).astype(np.uint8)


_RESPONSE = _response()


class View:
    """Random window of fixed aspect on a photo or on a shot of a clip."""

    def __init__(self, rng: np.random.Generator, background: Background, height: int, width: int, reach: float = 0.0):
        """
        Args:
            rng: Generator.
            background: Photo or clip.
            height, width: Size of the image.
            reach: Largest movement of the camera to either side in pixels; the attribute ``reach`` (2,) is what the
                background allows, in x and y.
        """
        self.height, self.width = height, width
        self.is_clip = background.kind == "clip"
        if self.is_clip:
            lengths = np.array([end - start for start, end in background.shots], float)
            start, end = background.shots[rng.choice(len(lengths), p=lengths / lengths.sum())]
            self._frames = load_clip(background.file)[start:end]
            self._first = int(rng.integers(len(self._frames)))
            size = np.array(self._frames[0].shape[1::-1])
        else:
            self._levels = load_photo(background.file)
            size = np.array(self._levels[0].shape[1::-1])
        window = np.array([width, height])
        # Clips are small and shown nearly whole; photos may be shown in part.
        self._scale = (size / window).min() * (rng.uniform(0.85, 1.0) if self.is_clip else rng.uniform(0.45, 0.95))
        room = (size / self._scale - window) / 2
        self.reach = np.minimum(reach, room)
        self._center = size / 2 + rng.uniform(-1, 1, 2) * (room - self.reach) * self._scale
        self._mirrored = bool(rng.random() < 0.5)

    def frame(self, time: int = 0, offset: Sequence[float] = (0.0, 0.0), zoom: float = 1.0) -> np.ndarray:
        """(height, width, 3) uint8 image at a time.

        Args:
            time: Frames after the first one; a clip that is too short runs back and forth.
            offset: Camera movement in pixels, at most ``reach``.
            zoom: Magnification of at least 1.
        """
        scale = self._scale / zoom
        sign = -1 if self._mirrored else 1
        center = self._center + np.array([sign * offset[0], offset[1]]) * scale
        left, top = center - np.array([self.width - 1, self.height - 1]) * scale / 2
        if self.is_clip:
            last = max(len(self._frames) - 1, 1)
            phase = (self._first + time) % (2 * last)
            image, level = self._frames[min(phase, 2 * last - phase)], 0
        else:
            level = int(np.clip(np.floor(np.log2(max(scale, 1.0)) + 0.3), 0, len(self._levels) - 1))
            image = self._levels[level]
        right = left + scale * (self.width - 1)
        row = [-scale, 0, right] if self._mirrored else [scale, 0, left]
        to_image = np.array([row, [0, scale, top]]) / 2.0**level
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(image, to_image, (self.width, self.height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


class Sensor:
    """Defocus and noise of a camera."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, max_noise: float, blur_probability: float):
        self._blur = float(rng.uniform(0.5, 1.1)) if rng.random() < blur_probability else 0.0
        sigma = rng.uniform(0, max_noise)
        # The field is larger than the image: random windows of it are new noise at little cost.
        self._noise = (rng.standard_normal((height + 64, width + 64, 1), dtype=np.float32)) * np.float32(sigma)

    def expose(self, rng: np.random.Generator, light: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 image of float32 light."""
        if self._blur:
            light = cv2.GaussianBlur(light, (0, 0), self._blur)
        y, x = rng.integers(0, 64, 2)
        noisy = light + self._noise[y : y + light.shape[0], x : x + light.shape[1]]
        return _RESPONSE[np.clip(noisy, 0, len(_RESPONSE) - 1).astype(np.uint16)]
