"""``ictrack track --show``, with a screen that the tests put in the place of the real one."""

import cv2
import numpy as np
import pytest

from ictrack.structures.command_line import OutputError
from ictrack.visualization.live_window import LiveWindow


@pytest.fixture
def screen(monkeypatch):
    """Pictures shown so far; its ``keys`` are pressed one after another."""

    class Screen(list):
        keys: list = []

    shown = Screen()
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: shown.keys.pop(0) if shown.keys else -1)
    return shown


def test_only_the_newest_picture_is_shown(screen):
    with LiveWindow("street") as window:
        assert window.refresh() and not screen
        for value in (1, 2, 3):
            window.put(np.full((2, 2, 3), value, np.uint8))
        assert window.refresh() and window.refresh()
    assert [int(image[0, 0, 0]) for image in screen] == [3]


@pytest.mark.parametrize("key", [ord("q"), 27])
def test_q_and_escape_stop(screen, key):
    screen.keys = [ord("x"), key]
    with LiveWindow("street") as window:
        assert window.refresh() and not window.refresh()


def test_without_a_display_it_is_an_error(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(OutputError, match="--show: there is no display"):
        LiveWindow("street")


def test_opencv_without_windows_is_an_error(screen, monkeypatch):
    def fail(*arguments):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "namedWindow", fail)
    with pytest.raises(OutputError, match="opencv-python-headless"):
        LiveWindow("street")
