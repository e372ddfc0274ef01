"""Contact sheet: small pictures in rows, each with a box and a caption."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ictrack.structures.atomic_file import replacing_path
from ictrack.structures.open_image import open_image

_COLUMNS = 4
_WIDTH, _HEIGHT, _GAP, _LINE = 300, 210, 12, 15
_LINES = 3
_PAPER, _INK, _BOX, _MISSING = (250, 250, 248), (30, 30, 30), (225, 30, 30), (225, 225, 222)


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes:
        image: Path of the picture; one that cannot be read is gray.
        box: x, y, width, height in its pixels; None: no box.
        caption: Text below it, cut after three lines.
    """

    image: str
    box: Sequence[float] | None
    caption: str


def write_contact_sheet(path: str | os.PathLike, tiles: Sequence[Tile]) -> None:
    """Write tiles as a PNG, which appears when it is complete."""
    rows = max(1, -(-len(tiles) // _COLUMNS))
    height = _HEIGHT + _LINES * _LINE + _GAP
    sheet = Image.new("RGB", (_GAP + _COLUMNS * (_WIDTH + _GAP), _GAP + rows * height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.truetype(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), 11)
    for number, tile in enumerate(tiles):
        left = _GAP + number % _COLUMNS * (_WIDTH + _GAP)
        top = _GAP + number // _COLUMNS * height
        sheet.paste(_picture(tile), (left, top))
        for line, text in enumerate(_wrapped(tile.caption, draw, font)):
            draw.text((left, top + _HEIGHT + 2 + line * _LINE), text, _INK, font)
    with replacing_path(path) as part:
        sheet.save(part, format="PNG")


def _picture(tile: Tile) -> Image.Image:
    """Picture of a tile's size, with its box."""
    try:
        with open_image(tile.image) as file:
            image = np.array(file.convert("RGB"))
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError):
        image = np.full((_HEIGHT, _WIDTH, 3), _MISSING, dtype=np.uint8)
    # A box may lie outside: the picture is set on a canvas that has room for both, within reason.
    height, width = image.shape[:2]
    x, y, w, h = _clipped(tile.box, width, height)
    left, top = max(0, -int(np.floor(x))), max(0, -int(np.floor(y)))
    right, bottom = max(0, int(np.ceil(x + w)) - width), max(0, int(np.ceil(y + h)) - height)
    canvas = cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=_PAPER)
    scale = min(_WIDTH / canvas.shape[1], _HEIGHT / canvas.shape[0])
    size = (max(1, round(canvas.shape[1] * scale)), max(1, round(canvas.shape[0] * scale)))
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST)
    if tile.box is not None:
        corner = (round((x + left) * scale), round((y + top) * scale))
        far = (round((x + w + left) * scale) - 1, round((y + h + top) * scale) - 1)
        cv2.rectangle(small, corner, far, _BOX, 2)
    picture = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    picture.paste(Image.fromarray(small), ((_WIDTH - size[0]) // 2, (_HEIGHT - size[1]) // 2))
    return picture


def _clipped(box: Sequence[float] | None, width: int, height: int) -> tuple[float, float, float, float]:
    """Box cut to the picture and half as much around it."""
    if box is None:
        return 0.0, 0.0, 0.0, 0.0
    low, high = np.array([-width / 2, -height / 2]), np.array([1.5 * width, 1.5 * height])
    near, far = np.clip(box[:2], low, high), np.clip(np.add(box[:2], box[2:]), low, high)
    return float(near[0]), float(near[1]), float(far[0] - near[0]), float(far[1] - near[1])


def _wrapped(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> list[str]:
    """Lines of a caption that fit below a picture."""
    lines = [""]
    for word in text.split():
        while draw.textlength(word, font) > _WIDTH:  # paths have no blanks
            count = next(k for k in range(len(word), 0, -1) if draw.textlength(word[:k], font) <= _WIDTH)
            lines.append(word[:count])
            word = word[count:]
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= _WIDTH:
            lines[-1] = longer
        else:
            lines.append(word)
    lines = [line for line in lines if line]
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], f"{lines[_LINES - 1][:-2]} …"]
