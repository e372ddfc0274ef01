"""CVAT for video 1.1: ``<video>.xml``, see :mod:`ictrack.structures.track_formats.cvat`.

Masks, skeletons and boxes may stand side by side; an object is one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..atomic_file import new_folder
from ..frame_tracks import FrameTracks
from ..track_formats.cvat import write_parts
from ..track_formats.cvat_reader import read_labels
from ..track_formats.rows import LabeledVideo, Row
from .frames import files_of_videos
from .label_set import LabelSet

SUFFIX = ".xml"
_KINDS: tuple[Callable[[Row], bool], ...] = (
    lambda row: row.rle is not None,
    lambda row: row.rle is None and row.keypoints is not None,
    lambda row: row.rle is None and row.keypoints is None,
)


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of files, or of one file."""
    return [read_labels(file) for file in files_of_videos(path, (SUFFIX,))]


def write(path: Path, labels: LabelSet) -> None:
    """Write a file, for one video under a name with the suffix, or else a folder of files."""
    if path.suffix == SUFFIX and len(labels.videos) == 1:
        _write(path, labels, labels.videos[0])
        return
    with new_folder(path) as part:
        for video in labels.videos:
            _write(part / f"{video.info.name}{SUFFIX}", labels, video)


def _write(path: Path, labels: LabelSet, video: LabeledVideo) -> None:
    info = labels.tracks(replace(video, rows={})).info
    write_parts(path, info, [part for has in _KINDS if (part := _frames(labels, video, has))] or [[]])


def _frames(labels: LabelSet, video: LabeledVideo, has: Callable[[Row], bool]) -> list[FrameTracks]:
    """Frames of the objects of one kind; none without such objects."""
    rows = {index: kept for index, rows in video.rows.items() if (kept := [row for row in rows if has(row)])}
    return labels.tracks(replace(video, rows=rows)).frames if rows else []
