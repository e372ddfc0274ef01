"""Frames without any container from a pipe: ``ffmpeg ... -f rawvideo -pix_fmt bgr24 - | ictrack track --input -``."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np

from .frame_stream import DEFAULT_FPS, FrameStream, VideoReadError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _PixelFormat:
    """Layout of a frame: bytes a pixel, shape of its array for (H, W), and OpenCV's conversion to BGR."""

    bytes_per_pixel: float
    conversion: int | None

    def shape(self, height: int, width: int) -> tuple[int, ...]:
        if self.bytes_per_pixel == 1.5:  # a plane of brightness above half a plane of colors
            return height * 3 // 2, width
        return height, width, int(self.bytes_per_pixel)


# Under FFmpeg's names.
PIXEL_FORMATS = {
    "bgr24": _PixelFormat(3, None),
    "rgb24": _PixelFormat(3, cv2.COLOR_RGB2BGR),
    "bgra": _PixelFormat(4, cv2.COLOR_BGRA2BGR),
    "rgba": _PixelFormat(4, cv2.COLOR_RGBA2BGR),
    "gray": _PixelFormat(1, cv2.COLOR_GRAY2BGR),
    "yuv420p": _PixelFormat(1.5, cv2.COLOR_YUV2BGR_I420),
    "nv12": _PixelFormat(1.5, cv2.COLOR_YUV2BGR_NV12),
}


class RawFrameStream(FrameStream):
    """Frames of one size, one after another, from a binary file that is only read forward.

    A last frame that is cut off is left out with a warning.
    """

    is_live = True

    def __init__(
        self,
        file: BinaryIO,
        size: tuple[int, int],
        *,
        pixel_format: str = "bgr24",
        fps: float | None = None,
        name: str = "stdin",
    ) -> None:
        """
        Args:
            file: Open file, which is not closed.
            size: Width and height in pixels.
            pixel_format: Name in ``PIXEL_FORMATS``.
            fps: Frames per second, by default ``DEFAULT_FPS``.
            name: Name of the video.

        Raises:
            VideoReadError: there is not even one frame, or the format needs even sides.
        """
        self.name = name
        self.width, self.height = size
        self.fps = fps or DEFAULT_FPS
        self._file = file
        self._format = PIXEL_FORMATS[pixel_format]
        if self._format.bytes_per_pixel == 1.5 and (self.width % 2 or self.height % 2):
            raise VideoReadError(f"{name}: frames in {pixel_format} have even sides, not {self.width}x{self.height}")
        self._shape = self._format.shape(self.height, self.width)
        self._num_bytes = int(np.prod(self._shape))
        first = self._read()
        if len(first) < self._num_bytes:
            raise VideoReadError(
                f"{name}: holds {len(first)} bytes, less than one frame of {self.width}x{self.height} in "
                f"{pixel_format}, which has {self._num_bytes}"
            )
        self._first: bytes | None = first

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        data, index = self._first or b"", 0
        self._first = None
        while len(data) == self._num_bytes:
            yield index, self._to_bgr(data)
            index += 1
            data = self._read()
        if data:
            logger.warning("%s: ends in the middle of frame %d, which is left out", self.name, index)

    def _read(self) -> bytes:
        """Bytes of the next frame, fewer at the end; a pipe may give them in parts."""
        parts, missing = [], self._num_bytes
        while missing:
            part = self._file.read(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _to_bgr(self, data: bytes) -> np.ndarray:
        frame = np.frombuffer(data, np.uint8).reshape(self._shape)
        if self._format.conversion is None:
            return frame.copy()  # what is made of bytes cannot be written to
        return np.asarray(cv2.cvtColor(frame, self._format.conversion))
