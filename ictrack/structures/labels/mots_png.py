"""MOTS pictures: ``<video>/<frame>.png``, see :mod:`ictrack.structures.mots_png`. Names are in ``labels.txt``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import new_folder
from ..mots_png import OBJECTS_PER_CLASS, write_png_masks
from ..track_formats.fields import TrackFormatError
from ..track_formats.mots import default_class_name
from ..track_formats.mots_png import read_labels
from ..track_formats.rows import LabeledVideo, Row
from .classes_file import mots_names, mots_numbers, name_classes, read_class_names, write_class_names
from .frames import first_number, listed_frames
from .label_set import LabelSet
from .mots import IGNORED_ID

_MAX_VALUE = 2**16 - 1


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a folder of folders of pictures, or of one folder of them."""
    videos = read_labels(path)
    for video in videos:
        name_classes(video, read_class_names(path))
    return videos


def write(path: Path, labels: LabelSet) -> None:
    numbers = mots_numbers(labels.categories)
    if max(numbers.values(), default=0) > _MAX_VALUE // OBJECTS_PER_CLASS:
        raise TrackFormatError(f"{path}: MOTS pictures hold classes up to {_MAX_VALUE // OBJECTS_PER_CLASS}")
    with new_folder(path) as part:
        for video in labels.videos:
            size = (video.info.height, video.info.width)
            first = first_number(video)
            for index in listed_frames(video):
                picture = np.zeros(size, dtype=np.uint16)
                for row in video.rows.get(index, ()):
                    picture[mask_util.decode(row.rle).astype(bool)] = _value(row, numbers)
                write_png_masks(part / video.info.name / f"{index + first:06d}.png", picture)
        write_class_names(part, mots_names(labels.categories, numbers), default_class_name)


def _value(row: Row, numbers: dict[int, int]) -> int:
    if row.is_crowd:
        return IGNORED_ID
    assert row.track_id is not None
    return OBJECTS_PER_CLASS * numbers[int(row.category)] + row.track_id
