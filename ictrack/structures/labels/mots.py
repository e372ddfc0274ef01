"""MOTS text: a file a video, see :mod:`ictrack.structures.mots_text`. Names of classes are in ``labels.txt``.

The first frame's number is that of :func:`.frames.first_number`.
"""

from __future__ import annotations

from pathlib import Path

from ..atomic_file import new_folder, replacing
from ..mots_text import IGNORE_CLASS, MOTSObject, mots_line
from ..sequence_texts import SUFFIX, is_sequence_text
from ..track_formats.mots import default_class_name, read_labels
from ..track_formats.rows import LabeledVideo, Row
from .classes_file import mots_names, mots_numbers, name_classes, read_class_names, write_class_names
from .frames import files_of_videos, first_number
from .label_set import LabelSet

# Identity of regions in which nothing was annotated.
IGNORED_ID = IGNORE_CLASS * 1000


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of files, or of one file."""
    files = [file for file in files_of_videos(path, (SUFFIX,)) if is_sequence_text(file)]
    videos = read_labels(files)
    for video, file in zip(videos, files):
        name_classes(video, read_class_names(file.parent))
    return videos


def write(path: Path, labels: LabelSet) -> None:
    numbers = mots_numbers(labels.categories)
    with new_folder(path) as part:
        for video in labels.videos:
            first = first_number(video)
            with replacing(part / f"{video.info.name}{SUFFIX}") as file:
                for index in video.indices():
                    file.writelines(mots_line(_item(index + first, row, numbers)) for row in video.rows.get(index, ()))
        write_class_names(part, mots_names(labels.categories, numbers), default_class_name)


def _item(frame: int, row: Row, numbers: dict[int, int]) -> MOTSObject:
    rle = row.rle or {}
    if row.is_crowd:
        return MOTSObject(frame, IGNORED_ID, IGNORE_CLASS, rle)
    assert row.track_id is not None
    return MOTSObject(frame, row.track_id + 1, numbers[int(row.category)], rle)
