"""Sizes of frames that labels do not state, from the headers of the pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..json_files import AnnotationError, require
from ..open_image import upright_size
from .frames import listed_frames, picture_name, picture_path
from .label_set import LabelSet


def add_sizes(labels: LabelSet, folder: Path) -> None:
    """Read the sizes of frames that are not known; of a video with one size, from its first picture.

    Raises:
        AnnotationError: a picture is missing or cannot be read; the message has its name.
    """
    require(folder.is_dir(), str(folder), "no such folder")
    for video in labels.videos:
        if video.info.height and video.info.width:
            continue
        frames = listed_frames(video)
        if not frames:
            continue
        candidates = [folder / picture_path(video, frames[0]), folder / picture_name(video, frames[0])]
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            listed = " nor ".join(map(str, candidates))
            raise AnnotationError(f"{labels.where}: the picture of a frame of {video.info.name} is neither {listed}")
        height, width = upright_size(found)
        video.info = replace(video.info, height=height, width=width)
