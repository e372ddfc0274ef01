"""Frames of a camera."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from .frame_stream import DEFAULT_FPS, FrameStream, VideoReadError


class CameraStream(FrameStream):
    """Camera by its index, through OpenCV; endless until it is unplugged or the caller stops.

    Raises:
        VideoReadError: the camera cannot be opened or delivers no frame.
    """

    is_live = True

    def __init__(self, index: int, fps: float | None = None):
        self._capture = cv2.VideoCapture(index)
        ok, self._first = self._capture.read()
        if not ok:
            self._capture.release()
            raise VideoReadError(f"camera {index}: cannot be opened or delivers no frame")
        self.name = f"camera{index}"
        self.height, self.width = self._first.shape[:2]
        self.fps = fps or self._capture.get(cv2.CAP_PROP_FPS) or DEFAULT_FPS

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        ok, frame, index = True, self._first, 0
        while ok:
            yield index, frame
            ok, frame = self._capture.read()
            index += 1

    def close(self) -> None:
        self._capture.release()
