"""File formats of tracks by name and by suffix."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from .fields import TrackFormatError, with_fields


@dataclass(frozen=True)
class TrackFormat:
    """File format of tracks.

    Attributes:
        name: Name.
        suffixes: Suffixes of its files, lower case; "" is a folder, which must be named.
        summary: What it is and what it holds, in a line.
        needs: Fields that detections must have: "ids", "masks", "poses".
        module: Module of this package with its functions ``write`` and ``read``; the name, if empty.
        package: Python package that it needs beyond ICTrack's own.
    """

    name: str
    suffixes: tuple[str, ...]
    summary: str
    needs: tuple[str, ...] = ()
    module: str = ""
    package: str = ""

    def write(self, path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
        """Write a video's tracks.

        Args:
            path: File, which appears when it is complete, and whose folder is made.
            info: Facts about the video.
            frames: Its frames in ascending order, read once.

        Raises:
            TrackFormatError: the format cannot hold the detections.
            OSError: the file cannot be written.
        """
        self._module().write(path, info, frames)

    def read(self, path: str | os.PathLike) -> list[VideoTracks]:
        """Videos of a file.

        Raises:
            AnnotationError: the file is wrong; the message has its name and the place.
            OSError: the file cannot be opened.
        """
        return self._module().read(path)

    def _module(self) -> Any:
        return importlib.import_module(f"{__package__}.{self.module or self.name}")


FORMATS = {
    track_format.name: track_format
    for track_format in (
        TrackFormat("youtube-vis", (".json",), "YouTube-VIS JSON: masks by track", ("ids", "masks"), "youtube_vis"),
        TrackFormat("coco", (".json",), "COCO JSON with track ids: everything"),
        TrackFormat("posetrack", (".json",), "PoseTrack18 JSON: poses", ("ids", "poses")),
        TrackFormat("mot", (".txt",), "MOTChallenge text: boxes"),
        TrackFormat("mots", (".txt",), "MOTS text: masks without overlaps", ("ids", "masks")),
        TrackFormat("mots-png", ("",), "MOTS pictures: a folder of PNG", ("ids", "masks"), "mots_png"),
        TrackFormat("cvat", (".xml",), "CVAT XML for video 1.1: masks, skeletons or boxes", ("ids",)),
        TrackFormat("csv", (".csv",), "CSV: a row for each detection, everything", (), "csv_table"),
        TrackFormat("parquet", (".parquet",), "Parquet: the same; needs pyarrow", package="pyarrow"),
        TrackFormat("json-lines", (".jsonl",), "JSON Lines of ICTrack: everything", (), "json_lines"),
    )
}


def format_of(path: str | os.PathLike, name: str | None = None, *, has_masks: bool = False) -> TrackFormat:
    """Format of a file that is to be written.

    Args:
        path: File; its suffix decides, unless there is a name.
        name: Name of a format.
        has_masks: Whether the tracks have masks. Of formats with one suffix, the first is taken whose needs are no more
            than masks: ``.json`` is YouTube-VIS for masks and COCO for the rest, ``.txt`` is MOTChallenge.

    Raises:
        TrackFormatError: no format has this name or suffix (the message lists them), or its package is missing.
    """
    found = _named(name) if name is not None else _by_suffix(path, has_masks)
    if found.package and importlib.util.find_spec(found.package) is None:
        raise TrackFormatError(f"{path}: {found.name} needs the package {found.package}: pip install {found.package}")
    return found


def _named(name: str) -> TrackFormat:
    if name not in FORMATS:
        raise TrackFormatError(f"{name!r} is no format of tracks; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]


def _by_suffix(path: str | os.PathLike, has_masks: bool) -> TrackFormat:
    suffix = PurePath(path).suffix.lower()
    found = [one for one in FORMATS.values() if suffix and suffix in one.suffixes]
    if not found:
        suffixes = sorted({suffix for one in FORMATS.values() for suffix in one.suffixes if suffix})
        raise TrackFormatError(f"{path}: no format has this suffix, but {', '.join(suffixes)}; or name the format")
    return next((one for one in found if has_masks or "masks" not in one.needs), found[0])


def write_tracks(
    path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks], name: str | None = None
) -> TrackFormat:
    """Write a video's tracks in the format of :func:`format_of`, which is returned.

    Raises as :func:`format_of` and :meth:`TrackFormat.write`.
    """
    fields, frames = with_fields(frames, path)
    track_format = format_of(path, name, has_masks=fields.masks)
    track_format.write(path, info, frames)
    return track_format
