"""Images of one size as the frames of a video: folders, globs, and files of several pages."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from .frame_stream import DEFAULT_FPS, FrameStream, VideoReadError
from .image_file import ImageFile, ImageReadError, list_pages

logger = logging.getLogger(__name__)


class ImageStream(FrameStream):
    """Images of one size as frames, all pages of every file. An unreadable one is skipped with a warning naming it.

    Attributes:
        pages: File and page of every frame.

    Raises:
        VideoReadError: nothing is readable (on construction), or an image's size differs from the first one's.
    """

    def __init__(self, name: str, paths: list[str], fps: float | None = None):
        self.name = name
        self.files = paths
        self.pages = list_pages(paths)
        self.fps = fps or DEFAULT_FPS
        self.length = len(self.pages)
        reasons = []
        for entry in self.pages:
            try:
                with ImageFile(entry.path) as file:
                    self.height, self.width = file.read(entry.page).shape[:2]
                return
            except ImageReadError as error:
                reasons.append(str(error))
        others = f"; nor is any of the other {len(reasons) - 1} images" if len(reasons) > 1 else ""
        raise VideoReadError(reasons[0] + others)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        numbered = ((i, entry) for i, entry in enumerate(self.pages) if self.wanted is None or self.wanted(i))
        for path, group in itertools.groupby(numbered, key=lambda pair: pair[1].path):
            indices, entries = zip(*group)
            for index, frame in zip(indices, _read_pages(path, [entry.page for entry in entries])):
                if isinstance(frame, ImageReadError):
                    self.num_bad_frames += 1
                    logger.warning("frame %d is skipped: %s", index, frame)
                elif frame.shape[:2] != (self.height, self.width):
                    raise VideoReadError(
                        f"{path}: {frame.shape[1]}x{frame.shape[0]} pixels, but the first frame has "
                        f"{self.width}x{self.height}; all frames of a video must be of one size"
                    )
                else:
                    yield index, frame

    def frame_name(self, index: int) -> str:
        return self.pages[index].name

    def frame_record(self, index: int) -> dict[str, Any]:
        return {**super().frame_record(index), "file_name": self.frame_name(index)}


def _read_pages(path: str, pages: list[int]) -> Iterator[np.ndarray | ImageReadError]:
    """Images in BGR at pages of a file, or the error of an unreadable one."""
    try:
        with ImageFile(path) as file:
            for page in pages:
                try:
                    yield file.read(page)
                except ImageReadError as error:
                    yield error
    except ImageReadError as error:
        yield from itertools.repeat(error, len(pages))
