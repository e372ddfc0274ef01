"""MOTS as a folder of pictures, a 16-bit PNG a frame, see :mod:`ictrack.structures.mots_png`.

The value of a pixel is class * 1000 + identity, 0 without a mask; files are ``000001.png`` and so on. Classes, and what
is not held, are those of :mod:`.mots`. There are up to 1000 identities and 65 classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from ..atomic_file import new_folder
from ..frame_tracks import FrameTracks, VideoInfo, VideoTracks
from ..json_files import require
from ..mots_png import OBJECTS_PER_CLASS, png_sequences, read_png, read_png_masks, write_png_masks
from ..mots_text import IGNORE_CLASS, MOTSObject
from .fields import TrackFormatError, with_fields
from .mots import NEEDS, separate_masks, video_of
from .rows import LabeledVideo

_MAX_VALUE = 2**16 - 1


def write(path: str | os.PathLike, info: VideoInfo, frames: Iterable[FrameTracks]) -> None:
    """Write a video's tracks, frame by frame; the folder appears when it is complete. It must not be there before.

    Raises:
        TrackFormatError: there are too many identities or classes, or as :func:`with_fields`; identities and masks are
            needed.
        FileExistsError: see :func:`new_folder`.
    """
    with new_folder(path) as part:
        _, frames = with_fields(frames, path, needs=NEEDS)
        for frame, items in separate_masks(path, info, frames):
            write_png_masks(part / f"{frame.index + 1:06d}.png", _picture(items, info, path))


def _picture(items: Iterable[MOTSObject], info: VideoInfo, path: object) -> np.ndarray:
    picture = np.zeros((info.height, info.width), dtype=np.uint16)
    for item in items:
        value = OBJECTS_PER_CLASS * item.class_id + item.track_id
        if item.track_id >= OBJECTS_PER_CLASS or value > _MAX_VALUE:
            what = f"identity {item.track_id} of class {item.class_id}"
            raise TrackFormatError(f"{path}: {what} does not fit in 16 bits; MOTS text holds it")
        picture[mask_util.decode(item.rle).astype(bool)] = value
    return picture


def read(path: str | os.PathLike) -> list[VideoTracks]:
    """Videos of a folder of pictures, or of a folder of such folders.

    Raises:
        AnnotationError: a picture is wrong, or there is none; the message has its name.
    """
    return [video.tracks() for video in read_labels(path)]


def read_labels(path: str | os.PathLike) -> list[LabeledVideo]:
    """Objects of a folder; regions in which nothing was annotated are crowds. Raises as :func:`read`."""
    sequences = png_sequences(Path(path))
    require(bool(sequences), str(path), "holds no PNG files")
    videos = []
    for name, pictures in sequences.items():
        read = [(picture, item) for picture in pictures for item in read_png_masks(picture)]
        first = 0 if any(int(picture.stem) == 0 for picture in pictures) else 1  # KITTI's frames count from 0
        names = {int(picture.stem) - first: picture.name for picture in pictures}
        # Numbers within a class are identities, unless two classes have the same ones.
        values = {item.track_id for _, item in read if item.class_id != IGNORE_CLASS}
        is_unique = len({value % OBJECTS_PER_CLASS for value in values}) == len(values)
        found = [
            MOTSObject(
                item.frame - first,
                item.track_id % OBJECTS_PER_CLASS if is_unique else item.track_id,
                item.class_id,
                item.rle,
            )
            for _, item in read
        ]
        video = video_of(name, found, [str(picture) for picture, _ in read], names)
        height, width = read_png(pictures[0]).shape
        video.where, video.info = str(path), replace(video.info, height=height, width=width)
        videos.append(video)
    return videos
