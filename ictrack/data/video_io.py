"""Video input: one stream interface over video files, folders, globs, images and cameras.

Frames are BGR uint8 arrays (H, W, 3), OpenCV's and Detectron2's convention, all of one size in a stream. They are
decoded one at a time, so memory does not depend on the length of the video.
"""

from __future__ import annotations

import array
import glob
import itertools
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.natural_order import natural_key

from .image_file import IMAGE_SUFFIXES, ImageFile, ImageReadError, list_pages

logger = logging.getLogger(__name__)

# Frames per second of sources that do not state it: folders of frames, and cameras that report nothing.
DEFAULT_FPS = 10.0

_NETWORK_TIMEOUT = 15.0  # seconds without any data


class VideoReadError(ValueError):
    """A source that cannot be read as a stream of frames; the message names the file and the reason."""


class FrameStream(ABC):
    """Frames of one video, in order. Iterate once; also a context manager that closes the source.

    Attributes:
        name: Name of the video: the last part of its path without a suffix, or ``camera<index>``.
        height, width: Size of every frame in pixels.
        fps: Frames per second.
        length: Number of frames that the source states; None if unknown.
        files: Files of the source, which an output must not replace.
        pixel_aspect: Width of a pixel divided by its height, as the source is to be shown.
        num_bad_frames: Number of unreadable frames so far; they are left out, the others keep their index.
        is_part: Whether only some of the video's frames are given.
        is_live: Whether the source cannot be read again from its beginning: a camera, or a network stream.
        wanted: Function of a frame's index, called in ascending order, that tells whether the stream must give this
            frame; it may give others nevertheless.
    """

    name: str
    height: int
    width: int
    fps: float
    length: int | None = None
    files: Sequence[str] = ()
    pixel_aspect: Fraction = Fraction(1)
    num_bad_frames: int = 0
    is_live: bool = False
    is_part: bool = False
    wanted: Callable[[int], bool] | None = None

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (0-based frame index, BGR uint8 array (H, W, 3)); the index of an unreadable frame is skipped."""

    def frame_name(self, index: int) -> str:
        """File name of a frame in a folder of the video's frames."""
        return f"{index:05d}.jpg"

    def frame_time(self, index: int) -> float:
        """Seconds from the first frame to a frame that was read."""
        return index / self.fps

    def frame_record(self, index: int) -> dict[str, Any]:
        """What a detector is told of a frame beside its image: ``frame_index``, ``video_name`` and, where frames are
        images of their own, ``file_name``."""
        return {"frame_index": index, "video_name": self.name}

    def stop(self) -> None:  # noqa: B027  most streams do not wait
        """Let an iteration in another thread end soon, that waits for a source which may come back."""

    def close(self) -> None:  # noqa: B027  images have nothing to release
        """Release the source."""

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class ImageStream(FrameStream):
    """Images of one size as frames, all pages of every file. An unreadable one is skipped with a warning naming it.

    Attributes:
        pages: File and page of every frame.

    Raises:
        VideoReadError: nothing is readable (on construction), or an image's size differs from the first one's.
    """

    def __init__(self, name: str, paths: list[str], fps: float | None = None):
        self.name = name
        self.files = paths
        self.pages = list_pages(paths)
        self.fps = fps or DEFAULT_FPS
        self.length = len(self.pages)
        reasons = []
        for entry in self.pages:
            try:
                with ImageFile(entry.path) as file:
                    self.height, self.width = file.read(entry.page).shape[:2]
                return
            except ImageReadError as error:
                reasons.append(str(error))
        others = f"; nor is any of the other {len(reasons) - 1} images" if len(reasons) > 1 else ""
        raise VideoReadError(reasons[0] + others)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        numbered = ((i, entry) for i, entry in enumerate(self.pages) if self.wanted is None or self.wanted(i))
        for path, group in itertools.groupby(numbered, key=lambda pair: pair[1].path):
            indices, entries = zip(*group)
            for index, frame in zip(indices, _read_pages(path, [entry.page for entry in entries])):
                if isinstance(frame, ImageReadError):
                    self.num_bad_frames += 1
                    logger.warning("frame %d is skipped: %s", index, frame)
                elif frame.shape[:2] != (self.height, self.width):
                    raise VideoReadError(
                        f"{path}: {frame.shape[1]}x{frame.shape[0]} pixels, but the first frame has "
                        f"{self.width}x{self.height}; all frames of a video must be of one size"
                    )
                else:
                    yield index, frame

    def frame_name(self, index: int) -> str:
        return self.pages[index].name

    def frame_record(self, index: int) -> dict[str, Any]:
        return {**super().frame_record(index), "file_name": self.frame_name(index)}


def _read_pages(path: str, pages: list[int]) -> Iterator[np.ndarray | ImageReadError]:
    """Images in BGR at pages of a file, or the error of an unreadable one."""
    try:
        with ImageFile(path) as file:
            for page in pages:
                try:
                    yield file.read(page)
                except ImageReadError as error:
                    yield error
    except ImageReadError as error:
        yield from itertools.repeat(error, len(pages))


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
        self.name = _stem(path)
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
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.FFmpegError:  # counts as one frame, so that the frames after it keep their index
                first_bad = index if first_bad is None else first_bad
                self.num_bad_frames += 1
                index += 1
                continue
            for frame in frames:
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
        total = max(self.length or 0, index)
        self.num_bad_frames += total - index
        if self.num_bad_frames:
            logger.warning(
                f"{self.path}: {total - self.num_bad_frames} of {total} frames could be decoded; the file is damaged "
                f"or truncated at frame {index if first_bad is None else first_bad}"
            )

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._container.demux(self._stream)
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


class CameraStream(FrameStream):
    """Camera by its index, through OpenCV; endless until it is unplugged or the caller stops.

    Raises:
        VideoReadError: the camera cannot be opened or delivers no frame.
    """

    is_live = True

    def __init__(self, index: int, fps: float | None = None):
        self._capture = cv2.VideoCapture(index)
        ok, self._first = self._capture.read()
        if not ok:
            self._capture.release()
            raise VideoReadError(f"camera {index}: cannot be opened or delivers no frame")
        self.name = f"camera{index}"
        self.height, self.width = self._first.shape[:2]
        self.fps = fps or self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        ok, frame, index = True, self._first, 0
        while ok:
            yield index, frame
            ok, frame = self._capture.read()
            index += 1

    def close(self) -> None:
        self._capture.release()


def open_frames(source: str | os.PathLike | int, fps: float | None = None) -> FrameStream:
    """Open a video file, a folder of frames, a glob of frames, one image, or a camera.

    Frames of folders and globs are in natural order of their names (``2.jpg`` before ``10.jpg``).

    Args:
        source: Path, glob pattern, or camera index (an int or digits).
        fps: Frames per second, overriding the source's own; folders state none and default to DEFAULT_FPS.

    Raises:
        VideoReadError: the source cannot be read; the message names it.
    """
    if isinstance(source, int):
        return CameraStream(source, fps)
    path = os.fspath(source)
    if os.path.isdir(path):
        visible = [name for name in os.listdir(path) if not is_hidden(name)]
        names = [name for name in visible if name.lower().endswith(IMAGE_SUFFIXES)]
        if not names:
            raise VideoReadError(f"{path}: the folder has no images ({', '.join(IMAGE_SUFFIXES)})")
        return ImageStream(_stem(path), [os.path.join(path, name) for name in sorted(names, key=natural_key)], fps)
    if os.path.isfile(path):
        if path.lower().endswith(IMAGE_SUFFIXES):
            return ImageStream(_stem(path), [path], fps)
        return VideoFileStream(path, fps)
    if path.isdigit():
        return CameraStream(int(path), fps)
    device = re.fullmatch(r"/dev/video(\d+)", path)
    if device:
        return CameraStream(int(device[1]), fps)
    if is_url(path):
        return VideoFileStream(path, fps)
    if glob.has_magic(path):
        return _open_glob(path, fps)
    raise VideoReadError(
        f"{path}: no such file or folder; nor is it a glob, a camera (0, /dev/video0) or a URL (rtsp://, http://)"
    )


def _open_glob(pattern: str, fps: float | None) -> FrameStream:
    paths = [path for path in glob_files(pattern) if os.path.isfile(path)]
    if not paths:
        raise VideoReadError(f"{pattern}: no file matches this pattern")
    images = [path for path in paths if path.lower().endswith(IMAGE_SUFFIXES)]
    if images:
        return ImageStream(_stem(os.path.dirname(images[0]) or images[0]), images, fps)
    if len(paths) == 1:
        return VideoFileStream(paths[0], fps)
    raise VideoReadError(
        f"{pattern}: matches {len(paths)} files that are no images ({paths[0]}, ...); a glob is one video's frames: "
        "give one video file at a time"
    )


def glob_files(pattern: str) -> list[str]:
    """Paths that match a pattern, in natural order, without hidden files; [brackets] may belong to a name."""
    found = glob.glob(pattern, recursive=True) or glob.glob(re.sub(r"([\[])", "[[]", pattern), recursive=True)
    return sorted((path for path in found if not is_hidden(os.path.basename(path))), key=natural_key)


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(os.path.normpath(path)))[0] or "video"
