"""Images from files: the one reader of frames and images, so that everything sees the same pixels of a file.

Pixels have three channels of 8 bits, upright by the file's EXIF orientation: 16 bits are divided by 256, alpha is
dropped, and types without a fixed range (float, 32 bits) are refused.
"""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ictrack.structures.open_image import open_image

from .bare_png import bare_png
from .upright_rgb import orientation, upright_rgb

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
# Factors by which frames are decoded smaller: those that a JPEG decoder offers.
REDUCTIONS = (1, 2, 4, 8)

# Formats whose pages follow each other in time or depth; the pages of a JPEG (MPO) are other views or maps of it.
_SEQUENCE_FORMATS = ("PNG", "WEBP", "TIFF", "GIF")
_SEQUENCE_SUFFIXES = (".png", ".webp", ".tif", ".tiff")
_JPEG_FORMATS = ("JPEG", "MPO")

# TIFF 6.0: tag of a page's kind (bit 0: a smaller copy of another, bit 2: a mask of it).
_TIFF_KIND, _TIFF_COPY_OR_MASK = 254, 0b101

_Result = TypeVar("_Result")


class ImageReadError(ValueError):
    """A file that is no readable image; the message names the file and the reason."""


class SourceFrame(NamedTuple):
    """A decoded frame.

    In continuous coordinates, in which the first pixel's center is (0.5, 0.5), a point (x, y) of ``image`` is
    (reduction * x, reduction * y) in the source.

    Attributes:
        image: BGR uint8 (ceil(height / reduction), ceil(width / reduction), 3).
        height, width: Size of the source in pixels.
        reduction: Factor by which the image is smaller than the source.
    """

    image: np.ndarray
    height: int
    width: int
    reduction: int


class ImagePage(NamedTuple):
    """Location of an image: a file with ``num_pages`` pages, and the 0-based page in it."""

    path: str
    page: int
    num_pages: int

    @property
    def name(self) -> str:
        """File name, with the page's number if the file has several."""
        name = os.path.basename(self.path)
        stem, suffix = os.path.splitext(name)
        return name if self.num_pages == 1 else f"{stem}_{self.page:05d}{suffix}"


class ImageFile:
    """Images in a file: pages of a TIFF, frames of an animated PNG or WebP; else one. Also a context manager.

    Reading pages in ascending order is cheap; going back decodes an animation from its start.

    Attributes:
        path: Path of the file.
        num_pages: Number of pages, without smaller copies and masks in a TIFF, and without the image that an animated
            PNG has for viewers without animation.

    Raises:
        ImageReadError: on construction and by the methods: the file is no image, truncated, or of a type without range.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._source: str | io.BytesIO = self.path
        self._opened: Image.Image | None = None
        self._pages = self._try(self._list_pages)
        self.num_pages = len(self._pages)

    def read(self, page: int = 0, format: str = "BGR") -> np.ndarray:
        """Image (H, W, 3) uint8 of a page; ``format`` is any of :func:`detectron2.data.detection_utils.read_image`."""
        image = self._try(lambda: self._decode(page))
        if format == "BGR":
            return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
        from detectron2.data.detection_utils import convert_PIL_to_numpy  # imports PyTorch

        return np.ascontiguousarray(convert_PIL_to_numpy(image, format))

    def read_reduced(self, reduction: Callable[[tuple[int, int]], int], page: int = 0) -> SourceFrame:
        """Image of a page in BGR, shrunk by the one of REDUCTIONS that ``reduction`` returns for its (height, width).

        JPEG files are shrunk while they are decoded (libjpeg's scaled DCT), which takes a fraction of the time, but
        works once per opened file.
        """
        header = self._try(self._image)
        # In a turned image, incomplete blocks need not be at the right and the bottom.
        if header.format not in _JPEG_FORMATS or orientation(header) != 1:
            image = self.read(page)
            height, width = image.shape[:2]
            factor = reduction((height, width))
            return SourceFrame(shrink(image, factor), height, width, factor)
        width, height = header.size
        factor = reduction((height, width))
        header.draft(None, (max(width // factor, 1), max(height // factor, 1)))  # type: ignore[arg-type]
        image = self.read()
        # Less than asked for where a side is shorter than the factor.
        done = max(n for n in REDUCTIONS if (-(-height // n), -(-width // n)) == image.shape[:2] and n <= factor)
        return SourceFrame(shrink(image, factor // done), height, width, factor)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> ImageFile:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _image(self) -> Image.Image:
        if self._opened is None:
            self._opened = open_image(self._source)
        return self._opened

    def _try(self, action: Callable[[], _Result]) -> _Result:
        """Result of an action, repeated on a PNG that fails without the chunks that its pixels do not depend on."""
        try:
            return action()
        except Exception as error:  # Pillow's parsers raise many kinds
            self.close()
            data = bare_png(self.path) if isinstance(self._source, str) else None
            if data is None:
                raise ImageReadError(f"{self.path}: not a readable image ({_reason(error)})") from error
        self._source = io.BytesIO(data)
        return self._try(action)

    def _list_pages(self) -> list[int]:
        image = self._image()
        if image.format not in _SEQUENCE_FORMATS:
            return [0]
        if image.format == "TIFF":
            return self._list_tiff_pages(image)
        return list(range(int(getattr(image, "default_image", False)), getattr(image, "n_frames", 1)))

    def _list_tiff_pages(self, image: Image.Image) -> list[int]:
        pages, page = [], 0
        while True:
            if not int(image.tag_v2.get(_TIFF_KIND, 0)) & _TIFF_COPY_OR_MASK:  # type: ignore[attr-defined]
                pages.append(page)
            page += 1
            try:
                image.seek(page)
            except EOFError:
                break
            except Exception as error:
                logger.warning("%s: breaks off after %d pages (%s)", self.path, page, _reason(error))
                break
        self.close()  # seeking past the end leaves an image between pages
        return pages or [0]

    def _decode(self, page: int) -> Image.Image:
        image = self._image()
        if image.tell() > self._pages[page]:  # going back in an animated PNG fails after its last frame
            self.close()
            image = self._image()
        image.seek(self._pages[page])
        image.load()
        return upright_rgb(image)


def read_image(path: str | os.PathLike, format: str = "BGR") -> np.ndarray:
    """First image in a file, (H, W, 3) uint8, see :meth:`ImageFile.read`. Raises ImageReadError."""
    with ImageFile(path) as file:
        return file.read(format=format)


def read_reduced_image(path: str, reduction: Callable[[tuple[int, int]], int], page: int = 0) -> SourceFrame:
    """Shrunk image of a page in a file, see :meth:`ImageFile.read_reduced`. Raises ImageReadError."""
    with ImageFile(path) as file:
        return file.read_reduced(reduction, page)


def list_pages(paths: Sequence[str]) -> list[ImagePage]:
    """Pages of files, in the files' order; only formats with several pages are opened. An unreadable file has one."""
    entries = []
    for path in paths:
        num_pages = 1
        if path.lower().endswith(_SEQUENCE_SUFFIXES):
            try:
                with ImageFile(path) as file:
                    num_pages = file.num_pages
            except ImageReadError:  # raised again by reading it
                pass
        entries += [ImagePage(path, page, num_pages) for page in range(num_pages)]
    return entries


def shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Image of the means of ``factor`` x ``factor`` pixels; blocks cut off at the right and bottom repeat the edge."""
    if factor == 1:
        return image
    height, width = image.shape[:2]
    if height % factor or width % factor:
        image = cv2.copyMakeBorder(image, 0, -height % factor, 0, -width % factor, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // factor, image.shape[0] // factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its own message holds a memory address
        return "not of a known format"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
