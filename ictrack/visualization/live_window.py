"""Window on the screen that shows the newest drawn frame."""

from __future__ import annotations

import os
import sys

import cv2
import numpy as np

from ictrack.structures.command_line import OutputError

# Keys that stop: q and escape.
_STOP = (ord("q"), 27)


class LiveWindow:
    """Window with the newest of the pictures that a thread puts in; older ones that were not shown are skipped.

    Also a context manager, which closes the window.
    """

    def __init__(self, title: str) -> None:
        """
        Args:
            title: Title of the window.

        Raises:
            OutputError: If no window can be opened.
        """
        # Qt ends the process where there is no display.
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            raise OutputError("--show: there is no display (DISPLAY is not set)")
        self._title = title
        self._newest: np.ndarray | None = None
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL)
        except cv2.error as error:
            raise OutputError("--show: OpenCV opens no window; opencv-python-headless has none") from error

    def put(self, image: np.ndarray) -> None:
        """Give the newest picture, BGR uint8 (H, W, 3), from any thread."""
        self._newest = image

    def refresh(self) -> bool:
        """Show the newest picture, from the main thread; False if the user pressed q or Esc."""
        image, self._newest = self._newest, None
        if image is not None:
            cv2.imshow(self._title, image)
        return cv2.waitKey(1) & 0xFF not in _STOP

    def __enter__(self) -> LiveWindow:
        return self

    def __exit__(self, *exception: object) -> None:
        cv2.destroyWindow(self._title)
