"""Video files and network streams, decoded by FFmpeg (PyAV)."""

from __future__ import annotations

import array
import itertools
import logging
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .codecs import av
from .frame_stream import DEFAULT_FPS, FrameStream, VideoReadError, stem
from .lost_frames import LostFrames

logger = logging.getLogger(__name__)

_NETWORK_TIMEOUT = 15.0  # seconds without any data


class VideoFileStream(FrameStream):
    """Video file or network stream, decoded by FFmpeg (PyAV) as it is read, upright by its rotation metadata.

    A file with several videos gives the one that players show. A damaged or truncated file gives the frames that can
    be decoded; one warning at the end counts the others.

    Args:
        path: File, or URL that FFmpeg opens.
        fps: Frames per second, at equal distances, instead of the file's own times.

    Raises:
        VideoReadError: on construction, if it cannot be opened or holds no decodable video.
    """

    def __init__(self, path: str, fps: float | None = None):
        self.path = path
        self.is_live = is_url(path)
        self.files = [] if self.is_live else [path]
        self._container = open_container(path)
        stream = self._stream = best_video_stream(self._container, path)
        self.name = stem(path)
        self.fps = fps or float(stream.average_rate or DEFAULT_FPS)
        self.length = stated_length(stream)
        self._duration = self._container.duration
        self._times: array.array[float] | None = None if fps else array.array("d")
        self._frames = self._decode()
        first = next(self._frames, None)  # only a frame tells whether the image is turned
        if first is None:
            self.close()
            raise VideoReadError(f"{path}: no frame of the video can be decoded")
        self.height, self.width = first[1].shape[:2]
        self._frames = itertools.chain(iter([first]), self._frames)  # an exhausted iterator lets go of the frame

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        return self._frames

    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        index, first_bad = 0, None
        size: dict[str, Any] = {}
        lost = LostFrames(self._container, self._stream)
        for packet in self._packets(lost):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                lost.fail(packet)
                continue
            for frame in frames:
                before = lost.before(frame.pts)  # so that the frames after them keep their index
                first_bad = index if before and first_bad is None else first_bad
                index = self._pass_over(index, before)
                quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise, from the container's display matrix
                if not size:  # some streams change size midway
                    size = {"width": frame.width, "height": frame.height}
                    aspect = self._stream.sample_aspect_ratio or Fraction(1)
                    self.pixel_aspect = 1 / aspect if quarter_turns % 2 else aspect
                self._note_time(index, frame.time)
                if self.wanted is not None and not self.wanted(index):
                    index += 1
                    continue
                image = frame.to_ndarray(format="bgr24", **size)
                yield index, np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
                index += 1
        index = self._pass_over(index, lost.at_end())
        total = max(self.length or 0, index)
        self.num_bad_frames += total - index
        if self.num_bad_frames:
            logger.warning(
                f"{self.path}: {total - self.num_bad_frames} of {total} frames could be decoded; the file is damaged "
                f"or truncated at frame {index if first_bad is None else first_bad}"
            )

        if lost.ends is not None:
            end, stated = lost.ends
            logger.warning(f"{self.path}: ends after {end:.1f} of {stated:.1f} seconds; the file is truncated")

    def _pass_over(self, index: int, lost: Sequence[float | None]) -> int:
        """Count lost frames of these times; returns the index after them."""
        for number, time in enumerate(lost, index):
            self._note_time(number, time)
        self.num_bad_frames += len(lost)
        return index + len(lost)

    def _packets(self, lost: LostFrames) -> Iterator[av.Packet]:
        """Packets of the stream; those of all streams are noted."""
        try:
            for packet in self._container.demux():
                lost.add(packet)
                if packet.stream.index == self._stream.index:
                    yield packet
        except av.error.FFmpegError as error:
            logger.warning("%s: the file breaks off (%s)", self.path, error.strerror)
            rest = av.Packet()  # an empty one, at which the decoder gives the frames that it holds back
            rest.stream = self._stream
            yield rest

    def frame_time(self, index: int) -> float:
        if not self._times or index >= len(self._times):
            return index / self.fps
        return self._times[index] - self._times[0]

    def _note_time(self, index: int, time: float | None) -> None:
        """Record when a frame is shown, strictly after the one before; undecodable frames last one period."""
        if self._times is None:
            return
        while len(self._times) < index:
            self._times.append(self._times[-1] + 1 / self.fps if self._times else 0.0)
        after = self._times[-1] if self._times else None
        if time is None or (after is not None and time <= after):
            time = 0.0 if after is None else after + 1 / self.fps
        self._times.append(float(time))

    @property
    def is_finite(self) -> bool:
        """Whether the container states how long it is, as a live stream does not."""
        return self._duration is not None

    def close(self) -> None:
        self._container.close()


def is_url(path: str) -> bool:
    """Whether a source is a network stream, such as ``rtsp://camera/1``."""
    return re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", path) is not None


def open_container(path: str) -> av.container.InputContainer:
    """File or URL opened by FFmpeg; no part of a file's name is taken for a protocol. Raises VideoReadError."""
    try:
        if not is_url(path):
            return av.open(os.path.abspath(path))
        options = {"rtsp_flags": "prefer_tcp"} if path.startswith("rtsp") else {}
        return av.open(path, options=options, timeout=_NETWORK_TIMEOUT)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise VideoReadError(f"{path}: cannot be opened as a video ({reason})") from error


def best_video_stream(container: av.container.InputContainer, path: str) -> av.VideoStream:
    """Video stream that players show, no cover art. Raises VideoReadError, and closes the file, if there is none, or
    none that FFmpeg can decode."""
    stream = container.streams.best("video")
    if stream is None or stream.codec_context is None:
        container.close()
        raise VideoReadError(f"{path}: has no video stream" + (" that can be decoded" if stream else ""))
    return stream  # type: ignore[return-value]


def stated_length(stream: av.VideoStream) -> int | None:
    """Number of frames that the container's index lists and shows (an edit list hides some); None if not stated."""
    if not stream.frames:
        return None
    shown = sum(not entry.is_discard for entry in getattr(stream, "index_entries", ()))  # PyAV 14 has none
    return min(shown, stream.frames) if shown else stream.frames
