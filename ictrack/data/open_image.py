"""Opening of image files in formats whose readers are safe."""

from __future__ import annotations

import os
from typing import BinaryIO

from PIL import Image

# Formats that are opened, whatever a file is called. Of the others that Pillow knows, EPS starts Ghostscript, and many
# are old and seldom looked at. JPEG includes MPO.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF")


def open_image(source: str | os.PathLike | BinaryIO) -> Image.Image:
    """Pillow's image of a file, whose pixels are not read yet. Raises as ``PIL.Image.open``."""
    return Image.open(source, formats=_FORMATS)
