"""Subsets of labels by video, frame and class, and splits into training and validation without leaks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import replace

from ..json_files import AnnotationError
from ..track_formats.rows import LabeledVideo
from .frames import picture_name
from .label_set import LabelSet

# Names shown.
_FEW = 5


def take_subset(
    labels: LabelSet,
    *,
    videos: Collection[str] | None = None,
    frames: tuple[int, int | None] | None = None,
    categories: Collection[str] | None = None,
) -> None:
    """Leave out, in place, all but some videos, frames and classes.

    Args:
        labels: Labels.
        videos: Names of videos.
        frames: First index and the one after the last; None: to the end. Frames keep their indices.
        categories: Names of classes; frames without an object of them stay.

    Raises:
        AnnotationError: a name is none of the labels', or no frame is left.
    """
    if videos is not None:
        _check_known(videos, [video.info.name for video in labels.videos], "video", labels)
        labels.videos = [video for video in labels.videos if video.info.name in videos]
    if frames is not None:
        start, end = frames
        labels.videos = [
            _of_frames(video, lambda i: start <= i and (end is None or i < end)) for video in labels.videos
        ]
        labels.videos = [video for video in labels.videos if video.indices()]
    if categories is not None:
        _check_known(categories, list(labels.categories.values()), "class", labels)
        labels.categories = {number: name for number, name in labels.categories.items() if name in categories}
        labels.keep_rows(lambda row: row.category in labels.categories)
    if not any(video.indices() for video in labels.videos):
        raise AnnotationError(f"{labels.where}: no frame is left")


def _check_known(wanted: Collection[str], known: Collection[str], what: str, labels: LabelSet) -> None:
    for name in wanted:
        if name not in known:
            more = f" and {len(known) - _FEW} more" if len(known) > _FEW else ""
            listed = ", ".join(list(known)[:_FEW]) + more
            raise AnnotationError(f"{labels.where}: has no {what} {name!r}; there are {listed}")


def _of_frames(video: LabeledVideo, keep: Callable[[int], bool]) -> LabeledVideo:
    frames = {index: facts for index, facts in video.frames.items() if keep(index)}
    return replace(video, frames=frames, rows={index: rows for index, rows in video.rows.items() if keep(index)})


def is_held_out(name: str, share: float) -> bool:
    """Whether what is called ``name`` belongs to the ``share`` (0 to 1) that is held out, by a hash of the name."""
    return _position(name) < share


def _position(name: str) -> float:
    """Number from 0 to below 1 that is the same for a name wherever it is computed."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8


def split_labels(labels: LabelSet, share: float, group: str | None = None) -> tuple[LabelSet, LabelSet]:
    """Labels for training and for validation, which have no source in common.

    Args:
        labels: Labels, which are shared with the parts.
        share: Share of the sources that is held out, the nearest number of them, but at least one and not all. A hash
            of their names puts them in order, so that few change sides when others come in.
        group: Regular expression that finds in ``<video>/<picture>`` the name of the source, its first group or else
            all that matches: what was cut from one recording, or is of one place or animal, stays together. None: a
            source is a video.

    Raises:
        AnnotationError: the expression is wrong or does not match, or there is only one source.
    """
    pattern = None
    if group is not None:
        try:
            pattern = re.compile(group)
        except re.error as error:
            raise AnnotationError(f"{group!r} is no regular expression: {error}") from None
    source_of = {
        (number, index): _source(video, index, pattern)
        for number, video in enumerate(labels.videos)
        for index in video.indices()
    }
    sources = sorted(set(source_of.values()), key=lambda source: (_position(source), source))
    if len(sources) < 2:
        advice = r"a regular expression for its pictures' names, such as '(.*)_\d+', tells sources apart"
        raise AnnotationError(f"{labels.where}: is of one source, {', '.join(sources)}; {advice}")
    number = min(max(1, round(share * len(sources))), len(sources) - 1)
    held_out = set(sources[:number])
    return tuple(_part(labels, source_of, held_out, is_wanted) for is_wanted in (False, True))  # type: ignore[return-value]


def _source(video: LabeledVideo, index: int, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return video.info.name
    name = f"{video.info.name}/{picture_name(video, index)}"
    match = pattern.search(name)
    if match is None:
        raise AnnotationError(f"{video.where}: {pattern.pattern!r} finds nothing in {name}")
    return str(match[1] if pattern.groups else match[0])


def _part(labels: LabelSet, source_of: dict[tuple[int, int], str], held_out: set[str], is_wanted: bool) -> LabelSet:
    videos = [
        _of_frames(video, lambda index, n=number: (source_of[n, index] in held_out) == is_wanted)  # type: ignore[misc]
        for number, video in enumerate(labels.videos)
    ]
    return replace(labels, videos=[video for video in videos if video.indices()])
