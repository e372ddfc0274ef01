"""ICTrack's own tables of one video: CSV, Parquet and JSON Lines, by the suffix."""

from __future__ import annotations

from pathlib import Path

from ..track_formats import FORMATS, TrackFormatError, format_of
from ..track_formats.rows import LabeledVideo, labeled_video
from .label_set import LabelSet

_NAMES = ("csv", "parquet", "json-lines")
_FIELDS = {"track_id": "identity", "rle": "mask", "keypoints": "pose"}


def read(path: Path) -> list[LabeledVideo]:
    """The video of a file."""
    return [labeled_video(path, video) for video in FORMATS[_name(path)].read(path)]


def write(path: Path, labels: LabelSet) -> None:
    if len(labels.videos) > 1:
        raise TrackFormatError(f"{path}: holds one video, not {len(labels.videos)}; take a subset")
    rows = list(labels.rows())
    for field, what in _FIELDS.items():
        present = sum(getattr(row, field) is not None for row in rows)
        if 0 < present < len(rows):
            raise TrackFormatError(f"{path}: only {present} of {len(rows)} objects have a {what}")
    video = labels.tracks(labels.videos[0])
    FORMATS[_name(path)].write(path, video.info, video.frames)


def _name(path: Path) -> str:
    name = format_of(path).name
    if name not in _NAMES:
        suffixes = ", ".join(suffix for known in _NAMES for suffix in FORMATS[known].suffixes)
        raise TrackFormatError(f"{path}: the suffix must be one of {suffixes}")
    return name
