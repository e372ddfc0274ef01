"""Lists of videos: a text file of their names, a folder, or a glob."""

from __future__ import annotations

import glob
import logging
import os

from ictrack.structures.describe import describe
from ictrack.structures.hidden_files import is_hidden
from ictrack.structures.natural_order import natural_key

from .frame_stream import VideoReadError
from .image_file import IMAGE_SUFFIXES
from .video_file_stream import is_url
from .video_io import glob_files, is_camera

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".webm", ".mkv", ".m4v", ".mpg", ".mpeg")
_LIST_SUFFIX = ".txt"


def list_videos(source: str) -> list[str] | None:
    """Videos of a list; None for the source of a single one, see :func:`ictrack.data.video_io.open_frames`.

    A list is a ``.txt`` file with a source in each line, relative to its folder (empty lines and those that begin with
    ``#`` do not count); a folder that holds videos and no images; or a glob that matches several files, no images.

    Raises:
        VideoReadError: a text file names nothing, or something that is no source, or is no text.
        OSError: it cannot be opened.
    """
    if os.path.isfile(source) and source.lower().endswith(_LIST_SUFFIX):
        return _lines_of(source)
    if os.path.isdir(source):
        names = [name for name in os.listdir(source) if not is_hidden(name)]
        videos = [name for name in sorted(names, key=natural_key) if name.lower().endswith(VIDEO_SUFFIXES)]
        if not any(name.lower().endswith(IMAGE_SUFFIXES) for name in names):
            return [os.path.join(source, name) for name in videos] or None
        if videos:
            text = "%s: its pictures are read as one video, and its %d video files, such as %s, are not"
            logger.warning(text, source, len(videos), videos[0])
    elif glob.has_magic(source) and not is_url(source) and not os.path.exists(source):
        paths = [path for path in glob_files(source) if os.path.isfile(path)]
        if len(paths) > 1 and not any(path.lower().endswith(IMAGE_SUFFIXES) for path in paths):
            return paths
    return None


def _lines_of(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError:
        raise VideoReadError(f"{path}: is no text file; a list of videos names one in each line") from None
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not numbered:
        raise VideoReadError(f"{path}: names no video")
    folder = os.path.dirname(path)
    videos = []
    for number, line in numbered:
        video = line if is_url(line) or line.isdigit() else os.path.join(folder, line)
        if not _may_be_video(video):
            text = f"{describe(line)} is no video, folder, glob, camera or URL: this is no list of videos"
            raise VideoReadError(f"{path}: line {number}: {text}")
        videos.append(video)
    return videos


def _may_be_video(name: str) -> bool:
    """Whether a name is that of a source, be it missing: one that is missing shall not keep others from being read."""
    has_suffix = name.lower().endswith((*VIDEO_SUFFIXES, *IMAGE_SUFFIXES))
    return has_suffix or is_url(name) or is_camera(name) or glob.has_magic(name) or os.path.exists(name)
