"""Frames of videos as pictures, and pictures as a video."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from ictrack.structures.atomic_file import new_folder

from .frame_source import SourceOptions, open_source
from .frame_stream import VideoReadError
from .video_writer import VideoWriter

# JPEG's quality at which a picture cannot be told from the frame.
_QUALITY = 95
SUFFIXES = (".jpg", ".png")


def extract_frames(
    source: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    suffix: str = ".jpg",
    start: int = 0,
    end: int | None = None,
    stride: int = 1,
) -> int:
    """Write the frames of a video as ``00000.jpg`` and so on, by their indices in the video; returns how many.

    Args:
        source: Video.
        folder: New or empty folder, which appears when it is complete.
        suffix: ".jpg", or ".png" for exactly the decoded pixels.
        start, end, stride: First frame, the one after the last, and distance of the frames that are written.

    Raises:
        VideoReadError: the video cannot be read, or has no frame in this part.
        FileExistsError: the folder is there and not empty.
    """
    count = 0
    options = SourceOptions(start=start, end=end, stride=stride)
    with open_source(os.fspath(source), options) as frames, new_folder(folder) as part:
        for position, frame in frames:
            done, data = cv2.imencode(suffix, frame, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else [])
            assert done
            (part / f"{start + position * stride:05d}{suffix}").write_bytes(data.tobytes())
            count += 1
        if not count:
            raise VideoReadError(f"{source}: has no frame in this part")
    return count


def write_frames_video(
    source: str | os.PathLike, video: str | os.PathLike, *, options: SourceOptions | None = None
) -> int:
    """Write pictures, in the natural order of their names, or another video as an H.264 mp4; returns how many frames.

    Raises:
        VideoReadError: the pictures cannot be read, or differ in size.
    """
    with open_source(os.fspath(source), options or SourceOptions()) as frames:
        with VideoWriter(Path(video), frames.fps, crf=18, pixel_aspect=frames.pixel_aspect) as writer:
            for index, frame in frames:
                writer.write(frame, frames.frame_time(index))
        return writer.num_frames
