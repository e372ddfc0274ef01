"""Video output: an H.264 writer."""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction

import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from ictrack.structures.atomic_file import replacing_path

from .codecs import av

_TIME_BASE = Fraction(1, 90000)  # seconds; all usual frame periods are whole multiples of it
# Codes of ITU-T H.273: HD is coded in BT.709, smaller images in BT.601 (525 lines).
_BT709, _BT601 = 1, 6
_HD_ROWS = 720
_MAX_SIDE = 16384  # pixels, x264's limit


class VideoWriteError(ValueError):
    """Frames that cannot be written as a video; the message names the file and the reason."""


class VideoWriter:
    """Writer of BGR frames to an H.264 mp4 for browsers: yuv420p, index in front, even size by repeating the edge.

    The file appears under its name when the writer is closed; a ``with`` block closes it on errors and Ctrl-C too, so
    that the frames written until then are a valid file. Without any frame there is no file.
    """

    def __init__(self, path: str | os.PathLike, fps: float, crf: int = 20, *, pixel_aspect: Fraction = Fraction(1)):
        """
        Args:
            path: Path of the mp4; its folder is made.
            fps: Frames per second, for frames written without their time.
            crf: x264's constant rate factor: 18 is visually lossless, 28 small.
            pixel_aspect: Width of a pixel divided by its height, as players show it.
        """
        self.path = os.fspath(path)
        self.fps = fps
        self.crf = crf
        self.pixel_aspect = pixel_aspect
        self._last_tick = -1
        self.num_frames = 0
        self._size: tuple[int, int] | None = None
        self._replacing = ExitStack()

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """Append ``frame``, a BGR uint8 array (H, W, 3) of the first one's size, shown from ``time`` in seconds on.

        Raises:
            ValueError: the frame is anything else.
            VideoWriteError: the frame is too large for H.264.
        """
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise ValueError(f"{self.path}: a frame must be uint8 (H, W, 3), not {frame.dtype} {frame.shape}")
        if self._size is None:
            self._open(*frame.shape[:2])
        if frame.shape[:2] != self._size:
            raise ValueError(f"{self.path}: a frame of height, width {frame.shape[:2]} follows ones of {self._size}")
        height, width = frame.shape[:2]
        if height % 2 or width % 2:  # 4:2:0 halves both sides
            frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        encoded = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
        encoded = encoded.reformat(format="yuv420p", dst_colorspace=self._matrix, dst_color_range=ColorRange.MPEG)
        tick = round((self.num_frames / self.fps if time is None else time) / _TIME_BASE)
        encoded.pts = self._last_tick = max(tick, self._last_tick + 1)
        encoded.time_base = _TIME_BASE
        self._container.mux(self._stream.encode(encoded))
        self.num_frames += 1

    def _open(self, height: int, width: int) -> None:
        if max(height, width) > _MAX_SIDE:
            raise VideoWriteError(f"{self.path}: {width}x{height} pixels; H.264 allows at most {_MAX_SIDE} a side")
        part = self._replacing.enter_context(replacing_path(self.path))
        self._container = av.open(os.path.abspath(part), "w", format="mp4", options={"movflags": "faststart"})
        rate = Fraction(self.fps).limit_denominator(1001) or Fraction(1, 1001)
        # Without x264's macroblock tree: its vector code reads past rows of macroblocks, so that equal frames of most
        # sizes give files that differ from run to run.
        options = {"crf": str(self.crf), "preset": "veryfast", "x264-params": "mbtree=0"}
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width = width + width % 2
        self._stream.height = height + height % 2
        self._stream.pix_fmt = "yuv420p"
        codec = self._stream.codec_context
        codec.time_base = _TIME_BASE
        codec.sample_aspect_ratio = self.pixel_aspect
        is_hd = height >= _HD_ROWS
        self._matrix = Colorspace.ITU709 if is_hd else Colorspace.ITU601
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709 if is_hd else _BT601
        codec.color_range = ColorRange.MPEG
        self._size = (height, width)

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        if self._size is None:
            return
        with self._replacing:
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._size = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
