"""Checks of videos without labels: files of videos, and folders of frames."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.open_image import upright_size

from ..datasets.unlabeled_videos import find_videos
from ..frame_stream import VideoReadError
from ..video_io import open_frames
from .defects import Defects, Subject

_LAST_NUMBER = re.compile(r"(\d+)\D*$")


def lint_footage(path: Path, defects: Defects, *, every: int = 1) -> str:
    """Check a video file or a folder of videos and of folders of frames; returns what it holds, in words.

    Args:
        path: File or folder.
        defects: Takes what is wrong.
        every: Headers of every n-th frame are read.

    Raises:
        VideoReadError: there is no video.
    """
    records = find_videos(str(path))
    for name, count in Counter(record["video_name"] for record in records).items():
        if count > 1:
            defects.error("name", name, f"{count} videos have this name, by which evaluations are kept out of training")
    num_frames = 0
    for record in records:
        if "video_file" in record:
            _check_file(record["video_file"], defects)
        else:
            num_frames += len(record["file_names"])
            _check_frames(record["file_names"], every, defects)
    defects.subject = None
    return f"footage: {len(records)} videos, of which {num_frames} frames are images"


def _check_file(path: str, defects: Defects) -> None:
    """The video opens, and its first frame can be decoded."""
    try:
        with open_frames(path):
            pass
    except VideoReadError as error:
        defects.error("unreadable file", path, str(error).removeprefix(f"{path}: "))


def _check_frames(names: list[str], every: int, defects: Defects) -> None:
    """Frames can be read, have one size, and are numbered without gaps."""
    first: tuple[int, int] | None = None
    for name in names[::every]:
        defects.subject = Subject(name)
        try:
            size = upright_size(name)
        except AnnotationError as error:
            defects.error("unreadable file", name, str(error).removeprefix(f"{name}: "))
            continue
        first = first or size
        text = f"is {size[1]} x {size[0]}, the frames before are {first[1]} x {first[0]}"
        defects.require(size == first, "size", name, text)
    defects.subject = None
    _check_numbers(names, defects)


def _check_numbers(names: list[str], defects: Defects) -> None:
    """Numbers at the ends of the names rise in equal steps, as those of a video that was sampled evenly do."""
    matches = [_LAST_NUMBER.search(os.path.splitext(os.path.basename(name))[0]) for name in names]
    numbers = [int(match[1]) for match in matches if match]
    if len(numbers) < max(2, len(names)):
        return
    steps = [after - before for before, after in zip(numbers, numbers[1:])]
    usual = Counter(steps).most_common(1)[0][0]
    for name, before, step in zip(names[1:], numbers, steps):
        if step == 0:
            defects.error("order", name, f"has the number {before} of the frame before")
        elif step != usual:
            defects.warning("order", name, f"comes after the number {before}; others come in steps of {usual}")
