"""Frames in, H.264 out: one stream interface over video files, folders, globs, images and cameras.

Frames are BGR uint8 arrays (H, W, 3), OpenCV's and Detectron2's convention, all of one size a stream. They are decoded
one at a time when asked for, so memory does not depend on the length of the video.
"""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np

from ictrack.structures.hidden_files import is_hidden

from .image_file import IMAGE_SUFFIXES, ImageFile, ImageReadError, list_pictures

logger = logging.getLogger(__name__)

# Frames a second of sources that do not state it: folders of frames, and cameras that report nothing.
DEFAULT_FPS = 10.0


class VideoReadError(ValueError):
    """A source that cannot be read as a stream of frames; the message names the file and the reason."""


class FrameStream(ABC):
    """Frames of one video, in order. Iterate once; also a context manager that closes the source.

    Attributes:
        name: the video's name: the last part of its path without a suffix, or ``camera<index>``.
        height, width: size of every frame in pixels.
        fps: frames a second.
        length: number of frames that the source states, or None where it is not known.
        num_bad_frames: frames found unreadable so far; they are left out, the others keep their index.
    """

    name: str
    height: int
    width: int
    fps: float
    length: int | None = None
    num_bad_frames: int = 0

    @abstractmethod
    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (0-based frame index, BGR uint8 array (H, W, 3)); the index of an unreadable frame is skipped."""

    def frame_name(self, index: int) -> str:
        """A frame's file in a folder of the video's frames: its own, or the one under which it would be stored."""
        return f"{index:05d}.jpg"

    def close(self) -> None:  # noqa: B027  images have nothing to release
        """Release the source."""

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class ImageStream(FrameStream):
    """Pictures of one size as frames, all pages of every file. An unreadable one is skipped with a warning naming it.

    Attributes:
        pictures: the file and page of every frame.

    Raises:
        VideoReadError: if nothing is readable (on construction), or a picture's size differs from the first one's.
    """

    def __init__(self, name: str, paths: list[str], fps: float | None = None):
        self.name = name
        self.pictures = list_pictures(paths)
        self.fps = fps or DEFAULT_FPS
        self.length = len(self.pictures)
        reasons = []
        for picture in self.pictures:
            try:
                with ImageFile(picture.path) as file:
                    self.height, self.width = file.read(picture.page).shape[:2]
                return
            except ImageReadError as error:
                reasons.append(str(error))
        others = f"; nor is any of the other {len(reasons) - 1} pictures" if len(reasons) > 1 else ""
        raise VideoReadError(reasons[0] + others)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        index = 0
        for path, pictures in itertools.groupby(self.pictures, key=lambda picture: picture.path):
            for frame in _read_pages(path, [picture.page for picture in pictures]):
                if isinstance(frame, ImageReadError):
                    self.num_bad_frames += 1
                    logger.warning(f"frame {index} is skipped: {frame}")
                elif frame.shape[:2] != (self.height, self.width):
                    raise VideoReadError(
                        f"{path}: {frame.shape[1]}x{frame.shape[0]} pixels, but the first frame has "
                        f"{self.width}x{self.height}; all frames of a video must be of one size"
                    )
                else:
                    yield index, frame
                index += 1

    def frame_name(self, index: int) -> str:
        return self.pictures[index].name


def _read_pages(path: str, pages: list[int]) -> Iterator[np.ndarray | ImageReadError]:
    """The pictures of a file in BGR, or why one cannot be read."""
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
    """A video file, decoded by FFmpeg (PyAV) as it is read, turned upright by its rotation metadata.

    Of a damaged or truncated file, the frames that can be decoded are kept; one warning at the end counts the others.

    Raises:
        VideoReadError: on construction, if the file cannot be opened or holds no decodable video.
    """

    def __init__(self, path: str, fps: float | None = None):
        self.path = path
        try:
            self._container = av.open(path)
        except (av.error.FFmpegError, OSError) as error:
            raise VideoReadError(f"{path}: cannot be opened as a video ({error.strerror or error})") from error
        if not self._container.streams.video:
            self.close()
            raise VideoReadError(f"{path}: has no video stream")
        stream = self._container.streams.video[0]
        self.name = _stem(path)
        self.fps = fps or float(stream.average_rate or DEFAULT_FPS)
        self.length = stream.frames or None
        self._frames = self._decode()
        first = next(self._frames, None)  # only a frame tells whether the picture is turned
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
                size = size or {"width": frame.width, "height": frame.height}  # some streams change size midway
                image = frame.to_ndarray(format="bgr24", **size)
                # Degrees counter-clockwise, from the container's display matrix; PyAV before 14 does not tell.
                quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
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
            yield from self._container.demux(self._container.streams.video[0])
        except av.error.FFmpegError as error:
            logger.warning(f"{self.path}: the file breaks off ({error.strerror})")

    def close(self) -> None:
        self._container.close()


class CameraStream(FrameStream):
    """A camera by its index, through OpenCV; endless until it is unplugged or the caller stops.

    Raises:
        VideoReadError: if the camera cannot be opened or delivers no frame.
    """

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
        source: a path, a glob pattern, or a camera index (an int or digits).
        fps: frames a second, overriding what the source states; folders state nothing and default to DEFAULT_FPS.

    Raises:
        VideoReadError: naming the source and what is wrong with it.
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
    if glob.has_magic(path):
        paths = [
            match
            for match in glob.glob(path, recursive=True)
            if os.path.isfile(match) and not is_hidden(os.path.basename(match))
        ]
        if not paths:
            raise VideoReadError(f"{path}: no file matches this pattern")
        return ImageStream(_stem(os.path.dirname(path) or path), sorted(paths, key=natural_key), fps)
    raise VideoReadError(f"{path}: no such file, folder, glob or camera index")


class VideoWriter:
    """Writes BGR frames to an H.264 mp4 that browsers play: yuv420p, index in front, even size by repeating the edge.

    The file appears under its name when the writer is closed; a ``with`` block closes it on errors and Ctrl-C too, so
    what was written until then is always a valid file. Without any frame there is no file.
    """

    def __init__(self, path: str | os.PathLike, fps: float, crf: int = 20):
        """
        Args:
            path: the mp4 to write; its folder is made.
            fps: frames a second.
            crf: x264's constant rate factor: 18 is visually lossless, 28 small.
        """
        self.path = os.fspath(path)
        self.fps = fps
        self.crf = crf
        self.num_frames = 0
        self._size: tuple[int, int] | None = None

    def write(self, frame: np.ndarray) -> None:
        """Append ``frame``, a BGR uint8 array (H, W, 3) of the first one's size.

        Raises:
            ValueError: if it is anything else.
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
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="bgr24")
        picture.pts = self.num_frames
        self._container.mux(self._stream.encode(picture))
        self.num_frames += 1

    def _open(self, height: int, width: int) -> None:
        os.makedirs(os.path.dirname(os.path.abspath(self.path)), exist_ok=True)
        self._part = f"{self.path}.part"
        self._container = av.open(self._part, "w", format="mp4", options={"movflags": "faststart"})
        rate = Fraction(self.fps).limit_denominator(1001)
        self._stream = self._container.add_stream(
            "libx264", rate=rate, options={"crf": str(self.crf), "preset": "veryfast"}
        )
        self._stream.width = width + width % 2
        self._stream.height = height + height % 2
        self._stream.pix_fmt = "yuv420p"
        self._size = (height, width)

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        if self._size is None:
            return
        self._container.mux(self._stream.encode(None))
        self._container.close()
        os.replace(self._part, self.path)
        self._size = None

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(os.path.normpath(path)))[0] or "video"


def natural_key(path: str) -> list[str | int]:
    """Sorts ``2.jpg`` before ``10.jpg``."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path)]
