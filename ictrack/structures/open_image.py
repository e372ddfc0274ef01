"""Opening of image files in formats whose readers are safe."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

from .json_files import AnnotationError

if TYPE_CHECKING:
    from PIL.Image import Image

# Formats that are opened, whatever a file is called. Of the others that Pillow knows, EPS starts Ghostscript, and many
# are old and seldom looked at. JPEG includes MPO.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF")
_EXIF_ORIENTATION = 0x0112
# Pixels that a byte of a GIF can stand for: a code of 12 bits is 4095 at most. Where codes are missing, Pillow leaves
# pixels blank, so that a few bytes could stand for a picture of hundreds of megabytes.
_GIF_PIXELS_A_BYTE = 4096
# Orientations that exchange the sides.
_TURNED = (5, 6, 7, 8)


def open_image(source: str | os.PathLike | BinaryIO) -> Image:
    """Pillow's image of a file, whose pixels are not read yet.

    Raises as ``PIL.Image.open``, and OSError where a GIF has too few bytes for its pixels.
    """
    from PIL import Image  # only pictures need Pillow

    image = Image.open(source, formats=_FORMATS)
    if image.format == "GIF":
        num_bytes = _num_bytes(source)
        if image.width * image.height > _GIF_PIXELS_A_BYTE * num_bytes:
            image.close()
            raise OSError(f"{num_bytes} bytes cannot be {image.width} x {image.height} pixels")
    return image


def _num_bytes(source: str | os.PathLike | BinaryIO) -> int:
    if isinstance(source, (str, os.PathLike)):
        return os.stat(source).st_size
    position = source.tell()
    size = source.seek(0, os.SEEK_END)
    source.seek(position)
    return size


def upright_size(path: str | os.PathLike) -> tuple[int, int]:
    """Height and width of a file's image as it is shown, from its header. Raises AnnotationError if it is none."""
    from PIL import Image

    try:
        with open_image(path) as image:
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (OSError, Image.DecompressionBombError, SyntaxError, ValueError) as error:
        raise AnnotationError(f"{path}: is no image that can be read ({type(error).__name__})") from None
    return (width, height) if turned else (height, width)
