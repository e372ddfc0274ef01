"""Labels of tracks: the identity on its color and a text beside it, and where they find room."""

from __future__ import annotations

import os
from functools import lru_cache

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .colors import text_color
from .skeleton import Color

# Factor by which labels are rendered larger and then shrunk: Pillow does not smooth the corners of rectangles.
_SUPERSAMPLING = 3
_BACKGROUND = (22, 24, 29, 205)


@lru_cache(maxsize=256)
def render_label(chip: str, text: str, color: Color, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Label of the identity on its color, then the text on a dark ground: BGR float32 (h, w, 3), opacity (h, w, 1)."""
    size *= _SUPERSAMPLING
    bold, regular = _font("DejaVuSans-Bold.ttf", size), _font("DejaVuSans.ttf", size)
    pad, height, radius = round(0.4 * size), round(1.45 * size), round(0.3 * size)
    chip_width = max(round(bold.getlength(chip)) + 2 * pad, height)
    width = chip_width + (round(regular.getlength(text)) + 2 * pad if text else 0)
    label = Image.new("RGBA", (width, height), (*_BACKGROUND[:3], 0))
    pen = ImageDraw.Draw(label)
    pen.rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=_BACKGROUND)
    pen.rounded_rectangle((0, 0, chip_width - 1, height - 1), radius, fill=(*color, 255))
    middle = round(0.5 * height)
    pen.text((chip_width / 2, middle), chip, (*text_color(color), 255), bold, anchor="mm")
    pen.text((chip_width + pad, middle), text, (255, 255, 255, 255), regular, anchor="lm")
    # Shrinking premultiplied colors keeps transparent corners from bleeding into the edges.
    pixels = np.array(label, np.float32)
    pixels[..., :3] *= pixels[..., 3:] / 255
    shrunk_size = (width // _SUPERSAMPLING, height // _SUPERSAMPLING)
    shrunk = np.asarray(cv2.resize(pixels, shrunk_size, interpolation=cv2.INTER_AREA))
    alpha = shrunk[..., 3:] / 255
    return shrunk[..., 2::-1] / np.maximum(alpha, 1e-6), alpha


@lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Font from matplotlib's data, which Detectron2 requires."""
    return ImageFont.truetype(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def place_label(
    x: int, y: int, w: int, h: int, taken: list[tuple[int, int, int, int]], width: int, height: int
) -> tuple[int, int]:
    """Free position nearest to (x, y), straight up or down, for a label of (w, h) on a canvas of (width, height)."""
    x, y = min(max(x, 0), width - w), min(max(y, 0), height - h)
    blocking = [other for other in taken if other[0] < x + w and x < other[2]]
    candidates = [y, *(other[3] + 1 for other in blocking), *(other[1] - h - 1 for other in blocking)]
    for candidate in sorted(candidates, key=lambda candidate: abs(candidate - y)):
        inside = 0 <= candidate <= height - h
        if inside and all(candidate + h <= other[1] or candidate >= other[3] for other in blocking):
            return x, candidate
    return x, y
