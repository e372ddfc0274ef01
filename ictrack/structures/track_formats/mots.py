"""MOTS text: a line ``frame id class height width rle`` for each mask, see :mod:`ictrack.structures.mots_text`.

Frames and identities count from 1 in the file and from 0 here; frames that are read count from 0 in the file, too, if
one of the data set's is 0, as in KITTI MOTS. Classes are those of MOTSChallenge and KITTI MOTS: 1 for "car", 2 for
"person" or "pedestrian"; others are 11 and so on, which the official evaluation passes over. A pixel of several masks
goes to the one of the highest score. Scores, boxes and poses are not held.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..atomic_file import replacing
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import AnnotationError
from ..mots_text import IGNORE_CLASS, MOTSObject, mots_line, split_mots_line, without_overlaps
from .fields import with_fields
from .rows import LabeledVideo, Row, class_name, facts_of

logger = logging.getLogger(__name__)

NEEDS = ("ids", "masks")
_CLASS_OF = {"car": 1, "person": 2, "pedestrian": 2}
_NAME_OF = {1: "car", 2: "pedestrian"}
IGNORED = "ignored region"


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks, frame by frame.

    Raises:
        TrackFormatError: as :func:`with_fields`; identities and masks are needed.
    """
    _, frames = with_fields(frames, path, needs=NEEDS)
    with replacing(path) as file:
        for frame, items in separate_masks(path, info, frames):
            for item in items:
                file.write(mots_line(MOTSObject(frame.index + 1, item.track_id + 1, item.class_id, item.rle)))


def separate_masks(
    path: object, info: VideoInfo, frames: Iterable[FrameTracks]
) -> Iterator[tuple[FrameTracks, list[MOTSObject]]]:
    """Frames with their masks, of which no two have a pixel in common, by MOTS's classes; what is lost is logged."""
    changed: Counter[str] = Counter()
    for frame in frames:
        items = []
        if len(frame):
            assert frame.ids is not None and frame.rles is not None
            separate = without_overlaps(frame.rles, frame.scores.tolist())
            for track_id, index, rle, whole in zip(frame.ids.tolist(), frame.classes.tolist(), separate, frame.rles):
                if rle is None:
                    changed["have no pixel of their own and are left out"] += 1
                    continue
                changed["gave pixels to masks of higher score"] += rle != whole
                class_id = _CLASS_OF.get(info.category_name(index).lower(), IGNORE_CLASS + 1 + index)
                items.append(MOTSObject(frame.index, track_id, class_id, rle))
        yield frame, items
    for what, count in changed.items():
        if count:
            logger.warning("%s: %d masks %s: no pixel may be of two in MOTS", path, count, what)


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """The file's one video. Regions in which nothing was annotated are left out. Raises as :func:`read_labels`."""
    return [video.tracks() for video in read_labels([Path(path)])]


def read_labels(paths: Sequence[Path]) -> list[LabeledVideo]:
    """Objects of a data set's files, one a video; regions in which nothing was annotated are crowds.

    Raises:
        AnnotationError: a line is wrong; the message has file and line.
        OSError: a file cannot be opened.
    """
    read = [_read_items(path) for path in paths]
    first = 0 if any(item.frame == 0 for items, _ in read for item in items) else 1
    videos = []
    for path, (items, places) in zip(paths, read):
        shifted = [replace(item, frame=item.frame - first, track_id=item.track_id - 1) for item in items]
        video = video_of(path, shifted, places)
        video.first_number = first
        videos.append(video)
    return videos


def _read_items(path: Path) -> tuple[list[MOTSObject], list[str]]:
    """Masks with the numbers of the file, and their places."""
    items, places = [], []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                items.append(split_mots_line(line))
            except ValueError as error:
                raise AnnotationError(f"{path}: line {number}: {error}") from None
            places.append(f"{path}: line {number}")
    return items, places


def default_class_name(class_id: int) -> str:
    """Name of one of MOTS's classes."""
    return _NAME_OF.get(class_id, class_name(class_id))


def video_of(
    path: str | os.PathLike,
    items: Sequence[MOTSObject],
    places: Sequence[str],
    names: dict[int, str] | None = None,
) -> LabeledVideo:
    """Video of masks by frame index.

    Args:
        path: Their file or folder, whose name is the video's.
        items: Masks.
        places: Places of the masks, for messages.
        names: File names by frame index.
    """
    height, width = (items[0].rle["size"][0], items[0].rle["size"][1]) if items else (0, 0)
    class_ids = sorted({item.class_id for item in items} - {IGNORE_CLASS})
    categories: dict[int | str, str] = {class_id: default_class_name(class_id) for class_id in class_ids}
    info = VideoInfo(Path(path).stem, height, width, 0.0, (), ())
    video = LabeledVideo(str(path), info, categories, facts_of(names or {}))
    for item, place in zip(items, places):
        row = Row(item.class_id, track_id=item.track_id, rle=item.rle, where=place)
        if item.class_id == IGNORE_CLASS:
            row.category, row.track_id, row.is_crowd = IGNORED, None, True
        video.add(item.frame, row)
    return video
