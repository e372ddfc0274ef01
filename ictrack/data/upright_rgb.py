"""Pixels of an opened image in three channels of 8 bits, and how it must be turned to be upright."""

from __future__ import annotations

import numpy as np
from PIL import Image

# TIFF 6.0: tag of the bits of a sample.
_TIFF_BITS = 258
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation(image: Image.Image) -> int:
    """EXIF orientation of an image, 1 (upright) to 8."""
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged EXIF says nothing of the pixels
        return 1


def upright_rgb(image: Image.Image) -> Image.Image:
    """A loaded image in 8-bit RGB, upright. Raises ValueError for pixels without a fixed range."""
    turn = _UPRIGHT.get(orientation(image))
    rgb = _to_rgb(image)
    return rgb if turn is None else rgb.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
    """A loaded image in 8-bit RGB."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, which have no range to show; convert it to 8 bits")
    if image.mode.startswith("I"):
        if image.mode == "I" and image.format not in ("PNG", "PPM"):  # Pillow opens their 16 bits in mode I
            raise ValueError("its pixels are integers of 32 bits or with a sign; convert it to 8 or 16 bits")
        bits = image.tag_v2.get(_TIFF_BITS, (16,))[0] if image.format == "TIFF" else 16  # type: ignore[attr-defined]
        image = Image.fromarray((np.asarray(image) >> (bits - 8)).astype(np.uint8))
    if image.mode in ("P", "PA", "La", "RGBa"):  # a palette may have alpha; colors may be multiplied by it
        image = image.convert("RGBA")
    return image.convert("RGB")
