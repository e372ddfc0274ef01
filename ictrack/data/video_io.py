"""Any video input by its name: video files, folders, globs, images, cameras and network streams."""

from __future__ import annotations

import glob
import os
import re

from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.natural_order import natural_key

from .camera_stream import CameraStream
from .frame_stream import FrameStream, VideoReadError, stem
from .image_file import IMAGE_SUFFIXES
from .image_stream import ImageStream
from .video_file_stream import VideoFileStream, is_url

_DEVICE = "/dev/video"


def is_camera(source: str) -> bool:
    """Whether a source is a camera, by its index (``0``) or device (``/dev/video0``), and no file of this name."""
    return source.removeprefix(_DEVICE).isdecimal() and not os.path.isfile(source) and not os.path.isdir(source)


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
        return ImageStream(stem(path), [os.path.join(path, name) for name in sorted(names, key=natural_key)], fps)
    if os.path.isfile(path):
        if path.lower().endswith(IMAGE_SUFFIXES):
            return ImageStream(stem(path), [path], fps)
        return VideoFileStream(path, fps)
    if is_camera(path):
        return CameraStream(int(path.removeprefix(_DEVICE)), fps)
    if is_url(path):
        return VideoFileStream(path, fps)
    if glob.has_magic(path):
        return _open_glob(path, fps)
    raise VideoReadError(
        f"{path}: no such file or folder; nor is it a glob, a camera (0, /dev/video0) or a URL (rtsp://, http://)"
    )


def video_size(source: str | os.PathLike) -> tuple[int, int]:
    """Height and width of the frames of a source, see :func:`open_frames`."""
    with open_frames(source) as frames:
        return frames.height, frames.width


def _open_glob(pattern: str, fps: float | None) -> FrameStream:
    paths = [path for path in glob_files(pattern) if os.path.isfile(path)]
    if not paths:
        raise VideoReadError(f"{pattern}: no file matches this pattern")
    images = [path for path in paths if path.lower().endswith(IMAGE_SUFFIXES)]
    if images:
        return ImageStream(stem(os.path.dirname(images[0]) or images[0]), images, fps)
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
