"""Source of ``ictrack track``: everything that :func:`open_frames` opens, pipes, live streams, and parts of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from .frame_stream import FrameStream, VideoReadError
from .live_stream import LiveStream
from .raw_frames import RawFrameStream
from .selected_frames import Position, SelectedFrames
from .video_file_stream import is_url
from .video_io import is_camera, open_frames

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class SourceOptions:
    """Options of a source.

    Attributes:
        fps: Frames per second, instead of the source's own.
        size: Width and height of raw frames.
        pixel_format: Pixel format of raw frames, see :mod:`.raw_frames`.
        reconnect_seconds: See :class:`LiveStream`.
        start, end, stride: See :class:`SelectedFrames`.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    pixel_format: str = "bgr24"
    reconnect_seconds: float = 300.0
    start: Position = 0
    end: Position | None = None
    stride: int = 1


def open_source(source: str, options: SourceOptions) -> FrameStream:
    """Open a source: "-" is raw frames on standard input.

    Raises:
        VideoReadError: the source cannot be read; the message names it.
    """
    frames = _open(source, options)
    if options.start == 0 and options.end is None and options.stride == 1:
        return frames
    return SelectedFrames(frames, start=options.start, end=options.end, stride=options.stride)


def check_source(source: str) -> None:
    """Find out, before a model is loaded, whether a source can be read; cameras and streams are not opened for it.

    Raises:
        VideoReadError: there is no such file, or its first frame cannot be read; the message names it.
    """
    if source == STANDARD_INPUT or is_url(source) or is_camera(source):
        return
    with open_frames(source):
        pass


def _open(source: str, options: SourceOptions) -> FrameStream:
    if source == STANDARD_INPUT:
        if options.size is None:
            raise VideoReadError("stdin: the size of raw frames must be told: give --size WIDTHxHEIGHT")
        if sys.stdin.isatty():
            raise VideoReadError("stdin: is a terminal; pipe raw frames into it")
        return RawFrameStream(sys.stdin.buffer, options.size, pixel_format=options.pixel_format, fps=options.fps)
    if is_url(source):
        return LiveStream(source, options.fps, reconnect_seconds=options.reconnect_seconds)
    return open_frames(source, options.fps)
