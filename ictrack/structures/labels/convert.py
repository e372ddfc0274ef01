"""Conversion of labels from one file format to another."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ..track_formats.fields import TrackFormatError
from .fit import LOSSES, fit
from .label_set import LabelSet
from .picture_sizes import add_sizes
from .registry import LABEL_FORMATS, LabelFormat


def label_format(name: str) -> LabelFormat:
    """Format of a name. Raises TrackFormatError, with the known names, for another one."""
    if name not in LABEL_FORMATS:
        raise TrackFormatError(f"{name!r} is no format of labels; the formats are {', '.join(LABEL_FORMATS)}")
    return LABEL_FORMATS[name]


def convert_labels(
    source: str | os.PathLike,
    source_format: str,
    target: str | os.PathLike,
    target_format: str,
    *,
    drop: Collection[str] = (),
    images: str | os.PathLike | None = None,
    video_size: Callable[[Path], tuple[int, int]] | None = None,
    **options: Any,
) -> Iterator[str]:
    """Convert labels. Nothing is written unless all can be.

    Args:
        source, target: Files or folders.
        source_format, target_format: Names in ``LABEL_FORMATS``.
        drop: Names in ``LOSSES`` of what may be lost.
        images, video_size: Where sizes are read that the source does not state, see :func:`add_sizes`.
        options: Options of the source's reader.

    Yields:
        Lines that say what was read, left out and written.

    Raises:
        AnnotationError: the source is wrong; the message has its name and the place.
        TrackFormatError: a format is unknown, or the target cannot hold the labels; the message has all that would be
            lost.
        OSError: a file cannot be read or written.
    """
    labels = label_format(source_format).read(source, **options)
    yield f"{source}: {describe_labels(labels)}"
    if images is not None:
        add_sizes(labels, Path(images), video_size)
    yield from write_labels(labels, target, target_format, drop)


def write_labels(
    labels: LabelSet, target: str | os.PathLike, target_format: str, drop: Collection[str] = ()
) -> Iterator[str]:
    """Make labels fit a format, in place, and write them; see :func:`convert_labels`."""
    for name in drop:
        if name not in LOSSES:
            raise TrackFormatError(f"{name!r} is nothing that is lost; --drop takes {', '.join(LOSSES)}")
    written = label_format(target_format)
    yield from fit(labels, written, target, drop)
    written.write(target, labels)
    yield f"{target}: {describe_labels(labels)}"


def describe_labels(labels: LabelSet) -> str:
    """What labels hold, in words."""
    tracks = {(video.info.name, row.track_id) for video in labels.videos for row in video if row.track_id is not None}
    frames = sum(len(video.indices()) for video in labels.videos)
    objects = sum(1 for _ in labels.rows())
    counts = ((len(labels.videos), "video"), (frames, "frame"), (objects, "object"), (len(tracks), "track"))
    return ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts)
