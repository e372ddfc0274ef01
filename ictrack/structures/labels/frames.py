"""Frames and files of videos, as the formats list them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ..hidden_files import is_hidden
from ..json_files import require
from ..track_formats.rows import LabeledVideo

# Bound of the number of frames, so that a damaged number of a frame cannot fill the memory.
MAX_FRAMES = 10_000_000


def listed_frames(video: LabeledVideo) -> Sequence[int]:
    """Indices, ascending, of the frames of which there are pictures, or else of all up to the last with an object.

    Raises AnnotationError if that are more than ``MAX_FRAMES``.
    """
    if any(facts.file_name for facts in video.frames.values()):
        return video.indices()
    length = max(video.indices(), default=-1) + 1
    require(length <= MAX_FRAMES, video.where, f"has a frame {length}, more than {MAX_FRAMES}")
    return range(length)


def picture_name(video: LabeledVideo, index: int) -> str:
    """Name of a frame's picture without folder, or the one that it would have."""
    return video.facts(index).file_name or (_kitti_name(index) if video.first_number == 0 else default_name(index))


def default_name(index: int) -> str:
    """Name of the picture of a frame of which no other is known."""
    return f"{index:05d}.jpg"


def first_number(video: LabeledVideo) -> int:
    """Number of the first frame in MOTS: 0 if the labels were read from files that count so, or the pictures are called
    as KITTI's, ``000000.png`` and so on; or else 1."""
    names = {index: facts.file_name for index, facts in video.frames.items() if facts.file_name}
    is_kitti = bool(names) and all(name == _kitti_name(index) for index, name in names.items())
    return 0 if is_kitti or video.first_number == 0 else 1


def _kitti_name(index: int) -> str:
    return f"{index:06d}.png"


def picture_path(video: LabeledVideo, index: int) -> str:
    """Name of a frame's picture with its folder."""
    folder = video.info.name if video.folder is None else video.folder
    return str(PurePosixPath(folder) / picture_name(video, index))


def files_of_videos(path: Path, suffixes: Sequence[str]) -> list[Path]:
    """The file itself, or the visible files of a folder with one of the suffixes. Raises AnnotationError if none is."""
    require(path.exists(), str(path), "no such file or folder")
    files = [path]
    if path.is_dir():
        visible = (file for file in path.iterdir() if file.is_file() and not is_hidden(file.name))
        files = sorted(file for file in visible if file.name.lower().endswith(tuple(suffixes)))
    require(bool(files), str(path), f"holds no {' or '.join(suffixes)} files")
    return files


def folders_of_videos(path: Path) -> list[Path]:
    """Visible folders in a folder, in the order of their names."""
    return sorted(folder for folder in path.iterdir() if folder.is_dir() and not is_hidden(folder.name))
