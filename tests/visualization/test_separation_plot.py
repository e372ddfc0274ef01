import cv2
import numpy as np
import pytest

from ictrack.visualization.separation_plot import draw_separation

SAME, DIFFERENT = np.full(50, 0.9), np.linspace(-0.2, 0.5, 200)
# Of the colors of the histograms, at 60 % on white, in BGR.
BLUE, ORANGE = (210, 173, 121), (110, 178, 255)


def count(picture, color):
    return int((np.abs(picture.astype(int) - color).max(axis=2) <= 2).sum())


def test_both_histograms_and_the_threshold_are_drawn(tmp_path):
    pictures = {}
    for threshold in None, 0.7:
        draw_separation(tmp_path / "plot.png", SAME, DIFFERENT, threshold, "title", "cosine")
        pictures[threshold] = cv2.imread(str(tmp_path / "plot.png"))
    assert min(count(pictures[0.7], color) for color in (BLUE, ORANGE)) > 300
    # The line runs through the whole height, between the histograms.
    changed = (pictures[0.7] != pictures[None]).any(axis=2).sum(axis=0)
    assert changed.max() > 200 and pictures[0.7][:, changed.argmax()].min() < 100


@pytest.mark.parametrize("values", [np.zeros(1), np.full(3, 0.5)])
def test_equal_values(tmp_path, values):
    draw_separation(tmp_path / "plot.png", values, values, 0.5, "title", "cosine")
    assert cv2.imread(str(tmp_path / "plot.png")) is not None
