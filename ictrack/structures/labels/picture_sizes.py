"""Sizes of frames that labels do not state, from the headers of the pictures or from the video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..json_files import AnnotationError, require
from ..open_image import upright_size
from ..track_formats.rows import FrameFacts, LabeledVideo
from .frames import listed_frames, picture_name, picture_path
from .label_set import LabelSet


def add_sizes(labels: LabelSet, images: Path, video_size: Callable[[Path], tuple[int, int]] | None = None) -> None:
    """Read the sizes of the frames of videos whose size is not known.

    Args:
        labels: Labels, which get the sizes.
        images: Folder of the pictures, or the file of the only video.
        video_size: Function of a video's file that returns the height and width of its frames; without it, only
            pictures are read.

    Raises:
        AnnotationError: a picture is missing or cannot be read; the message has its name.
    """
    of_file = video_size(images) if video_size is not None and images.is_file() else None
    require(of_file is not None or images.is_dir(), str(images), "no such folder")
    for video in labels.videos:
        if video.info.height and video.info.width:
            continue
        alone = len(labels.videos) == 1
        require(of_file is None or alone, str(images), f"one video, but {labels.where} has {len(labels.videos)}")
        sizes = {
            index: of_file or upright_size(_picture(labels, video, index, images)) for index in listed_frames(video)
        }
        if sizes:
            height, width = next(iter(sizes.values()))
            video.info = replace(video.info, height=height, width=width)
            for index, size in sizes.items():
                video.frames[index] = replace(video.frames.get(index, FrameFacts()), size=size)


def _picture(labels: LabelSet, video: LabeledVideo, index: int, folder: Path) -> Path:
    candidates = [folder / picture_path(video, index), folder / picture_name(video, index)]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        listed = " nor ".join(map(str, candidates))
        raise AnnotationError(f"{labels.where}: the picture of frame {index} of {video.info.name} is neither {listed}")
    return found
