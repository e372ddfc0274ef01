"""Network streams that are opened again where they break off."""

from __future__ import annotations

import logging
import threading
import time
from array import array
from collections.abc import Iterator

import cv2
import numpy as np

from .frame_stream import FrameStream, VideoReadError
from .video_file_stream import VideoFileStream

logger = logging.getLogger(__name__)

# Seconds between attempts: they double from the first to the last.
_FIRST_WAIT, _LAST_WAIT = 1.0, 30.0


class LiveStream(FrameStream):
    """Frames of a live stream (``rtsp://``, ``http://`` without an end), which goes on after an interruption.

    Frames are numbered on; their times include the interruption. Other frame sizes are scaled to the first one.

    Raises:
        VideoReadError: on construction, if the stream cannot be opened or gives no frame.
    """

    is_live = True

    def __init__(self, url: str, fps: float | None = None, *, reconnect_seconds: float = 300.0) -> None:
        """
        Args:
            url: Address.
            fps: Frames per second, at equal distances, instead of the stream's own times.
            reconnect_seconds: Time after the last frame within which the stream is opened again.
        """
        self.url = url
        self.reconnect_seconds = reconnect_seconds
        self._fps = fps
        self._stream = VideoFileStream(url, fps)
        self.name, self.height, self.width = self._stream.name, self._stream.height, self._stream.width
        self.fps, self.pixel_aspect = self._stream.fps, self._stream.pixel_aspect
        self.length = self._stream.length
        self._times = array("d")
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[tuple[int, np.ndarray]]:
        offset = 0.0
        bad_before = 0
        while True:
            for local, frame in self._stream:
                self.num_bad_frames = bad_before + self._stream.num_bad_frames
                if frame.shape[:2] != (self.height, self.width):
                    frame = np.asarray(cv2.resize(frame, (self.width, self.height), interpolation=cv2.INTER_AREA))
                self._times.append(offset + self._stream.frame_time(local))
                yield len(self._times) - 1, frame
                arrived = time.monotonic()
            bad_before = self.num_bad_frames
            if self._stream.is_finite or not self._reopen(arrived):
                return
            offset = self._times[-1] + max(time.monotonic() - arrived, 1 / self.fps)

    def frame_time(self, index: int) -> float:
        return self._times[index] if index < len(self._times) else index / self.fps

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        self._stream.close()

    def _reopen(self, arrived: float) -> bool:
        self._stream.close()
        wait = _FIRST_WAIT
        while time.monotonic() + wait <= arrived + self.reconnect_seconds:
            logger.warning("%s: broke off after %d frames; opened again in %g s", self.url, len(self._times), wait)
            if self._stopped.wait(wait):
                return False
            wait = min(2 * wait, _LAST_WAIT)
            try:
                self._stream = VideoFileStream(self.url, self._fps)
            except VideoReadError as error:
                logger.warning("%s", error)
            else:
                return True
        logger.warning("%s: ended after %d frames", self.url, len(self._times))
        return False
