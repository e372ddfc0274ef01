"""Colors of track identities."""

from __future__ import annotations

import math
from functools import lru_cache

# Degrees between the hues of consecutive ids, which spreads any run of ids evenly over the circle.
GOLDEN_ANGLE = 180 * (3 - math.sqrt(5))
# Lightness alternates, so that ids of similar hues (8 or 13 apart) still differ. With these values and this first hue
# any two of the ids 0..9 are at least 0.13 apart in OKLab (black and white are 1 apart).
LIGHTNESSES = (0.72, 0.84, 0.60)
FIRST_HUE = 325
CHROMA = 0.22


@lru_cache(maxsize=4096)
def track_color(track_id: int) -> tuple[int, int, int]:
    """Color (red, green, blue), 0..255, of an identity, which depends on the id only.

    Hues follow the golden angle in OKLCH (Ottosson, "A perceptual color space for image processing", 2020), where equal
    steps look equally different; the chroma is lowered to fit into sRGB.
    """
    hue = math.radians(FIRST_HUE + GOLDEN_ANGLE * track_id)
    lightness = LIGHTNESSES[track_id % len(LIGHTNESSES)]
    chroma = CHROMA
    while True:
        linear = _oklab_to_linear_srgb(lightness, chroma * math.cos(hue), chroma * math.sin(hue))
        if chroma <= 0 or all(-1e-3 <= channel <= 1 + 1e-3 for channel in linear):
            break
        chroma -= 0.005
    red, green, blue = (round(255 * _gamma(min(max(channel, 0.0), 1.0))) for channel in linear)
    return red, green, blue


def text_color(background: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white (red, green, blue), whichever has the higher WCAG contrast on ``background``."""
    luminance = sum(
        weight * ((c / 255 + 0.055) / 1.055) ** 2.4 for weight, c in zip((0.2126, 0.7152, 0.0722), background)
    )
    return (0, 0, 0) if luminance > 0.179 else (255, 255, 255)


def _oklab_to_linear_srgb(lightness: float, a: float, b: float) -> tuple[float, float, float]:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _gamma(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
