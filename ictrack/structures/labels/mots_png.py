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
from .frames import listed_frames, picture_name
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
            for index, number in _frame_numbers(video).items():
                picture = np.zeros(size, dtype=np.uint16)
                for row in video.rows.get(index, ()):
                    picture[mask_util.decode(row.rle).astype(bool)] = _value(row, numbers)
                write_png_masks(part / video.info.name / f"{number:06d}.png", picture)
        write_class_names(part, mots_names(labels.categories, numbers), default_class_name)


def _value(row: Row, numbers: dict[int, int]) -> int:
    if row.is_crowd:
        return IGNORED_ID
    assert row.track_id is not None
    return OBJECTS_PER_CLASS * numbers[int(row.category)] + row.track_id


def _frame_numbers(video: LabeledVideo) -> dict[int, int]:
    """Number of each frame's picture: from 0, as KITTI MOTS counts, if the pictures are called so, or else from 1."""
    frames = listed_frames(video)
    stems = [Path(picture_name(video, index)).stem for index in frames]
    first = 0 if all(stem.isdigit() and int(stem) == index for stem, index in zip(stems, frames)) else 1
    return {index: index + first for index in frames}
