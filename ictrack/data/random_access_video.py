"""Single frames of a video by their index: from a folder of images or a video file, decoded no larger than needed."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from av.video.reformatter import Interpolation

from .codecs import av
from .frame_stream import DEFAULT_FPS, VideoReadError
from .image_file import ImageReadError, SourceFrame, list_pages, read_reduced_image, shrink
from .video_file_stream import best_video_stream, open_container, stated_length

logger = logging.getLogger(__name__)

# Function of (position in the list of requested frames, (height, width) of the source) that returns one of REDUCTIONS.
ReductionRule = Callable[[int, tuple[int, int]], int]


class RandomAccessVideo(ABC):
    """Frames of one video by index.

    Attributes:
        length: Number of frames.
        fps: Frames per second.
    """

    length: int
    fps: float

    @abstractmethod
    def read(self, indices: Sequence[int], reduction: ReductionRule) -> list[SourceFrame]:
        """Frames at ``indices`` (0-based, ascending, repeats allowed).

        Raises:
            VideoReadError: a file cannot be read; the message names it.
        """


class ImageFolderVideo(RandomAccessVideo):
    """Image files as frames, all pages of every file; they may differ in size."""

    def __init__(self, file_names: Sequence[str], fps: float) -> None:
        self._pages = list_pages(file_names)
        self.length = len(self._pages)
        self.fps = fps

    def read(self, indices: Sequence[int], reduction: ReductionRule) -> list[SourceFrame]:
        try:
            return [
                read_reduced_image(entry.path, lambda size, i=i: reduction(i, size), entry.page)  # type: ignore[misc]
                for i, entry in enumerate(self._pages[index] for index in indices)
            ]
        except ImageReadError as error:
            raise VideoReadError(str(error)) from error


class FileVideo(RandomAccessVideo):
    """Video file, decoded from the last keyframe before the first wanted frame to the last wanted one.

    Frames are numbered in display order, also where the frame rate varies or the file's own count is wrong. A file
    whose timestamps do not tell the order of its frames (H.264 with B-frames in AVI) is decoded from its start.

    Args:
        path: Path of the file.
        num_threads: Number of decoder threads; 0 leaves it to FFmpeg.

    Raises:
        VideoReadError: the file cannot be opened or holds no video.
    """

    def __init__(self, path: str, num_threads: int) -> None:
        self._path = path
        self._num_threads = num_threads
        self._timeline = _read_timeline(path)
        self.length = len(self._timeline.times)
        self.fps = self._timeline.fps

    def read(self, indices: Sequence[int], reduction: ReductionRule) -> list[SourceFrame]:
        times = self._timeline.times if self._timeline.ordered else range(self.length)
        wanted = {int(times[index]): i for i, index in enumerate(indices)}
        found = self._decode(wanted, reduction, seek=True) if self._timeline.ordered else {}
        if len(found) < len(wanted):  # the container's index led past the first frame, or to one that is no keyframe
            found = self._decode(wanted, reduction, seek=False)
        for index in indices:
            if times[index] not in found:
                raise VideoReadError(f"{self._path}: frame {index} of {self.length} cannot be decoded")
        return [found[int(times[index])] for index in indices]

    def _decode(self, wanted: dict[int, int], reduction: ReductionRule, seek: bool) -> dict[int, SourceFrame]:
        """Decodable frames of the ``wanted`` {time: position in the request}, by time; without ordered timestamps,
        times are frame indices."""
        found: dict[int, SourceFrame] = {}
        try:
            with open_container(self._path) as container:
                stream = best_video_stream(container, self._path)
                stream.thread_type = "AUTO"
                stream.codec_context.thread_count = self._num_threads
                if seek:
                    container.seek(min(wanted), stream=stream)
                for i, frame in enumerate(container.decode(stream)):
                    time = frame.pts if self._timeline.ordered else i
                    if time in wanted and not frame.is_corrupt:
                        found[time] = _convert(frame, wanted[time], reduction)
                    if time is not None and time >= max(wanted):
                        break
        except (av.error.FFmpegError, OSError) as error:
            raise VideoReadError(f"{self._path}: cannot be decoded ({error})") from error
        return found


def _convert(frame: av.VideoFrame, position: int, reduction: ReductionRule) -> SourceFrame:
    # Degrees counter-clockwise, from the container's display matrix.
    quarter_turns = round(frame.rotation / 90) % 4
    height, width = (frame.width, frame.height) if quarter_turns % 2 else (frame.height, frame.width)
    factor = reduction(position, (height, width))
    if height % factor == 0 and width % factor == 0:  # the color conversion shrinks at no cost
        size: dict[str, Any] = {"width": frame.width // factor, "height": frame.height // factor}
        shrunk = frame.reformat(format="bgr24", interpolation=Interpolation.AREA, **size).to_ndarray()
        image = np.ascontiguousarray(np.rot90(shrunk, quarter_turns))
    else:
        image = shrink(np.ascontiguousarray(np.rot90(frame.to_ndarray(format="bgr24"), quarter_turns)), factor)
    return SourceFrame(image, height, width, factor)


class _Timeline(NamedTuple):
    times: np.ndarray  # (frames,) int64, ascending presentation times in the stream's unit
    fps: float
    ordered: bool  # the times tell which frame is which


@lru_cache(maxsize=4096)
def _read_timeline(path: str) -> _Timeline:
    """Timeline of a file, of which nothing is decoded. Raises VideoReadError."""
    times, delays, unknown = [], set(), False
    try:
        with open_container(path) as container:
            stream = best_video_stream(container, path)
            stated, fps = stated_length(stream) or 0, float(stream.average_rate or DEFAULT_FPS)
            try:
                for packet in container.demux(stream):
                    if not packet.size or packet.is_discard:
                        continue
                    times.append(packet.dts if packet.pts is None else packet.pts)
                    unknown = unknown or packet.pts is None
                    if packet.pts is not None and packet.dts is not None:
                        delays.add(packet.pts - packet.dts)
            except av.error.FFmpegError as error:
                logger.warning("%s: the file breaks off (%s)", path, error.strerror)
            reordered = stream.codec_context.has_b_frames
    except (av.error.FFmpegError, OSError) as error:
        raise VideoReadError(f"{path}: cannot be opened as a video ({error.strerror or error})") from error
    if not times:
        raise VideoReadError(f"{path}: holds no frame")
    if len(times) < stated:
        logger.warning("%s: has only %d of its %d frames; the file is truncated", path, len(times), stated)
    # Frames that are stored in another order than they are shown have delays that differ.
    ordered = not unknown and len(set(times)) == len(times) and (not reordered or len(delays) > 1)
    return _Timeline(np.sort(np.array(times, dtype=np.int64)) if ordered else np.arange(len(times)), fps, ordered)
