"""Colors of identities: stable, and told apart."""

import itertools

import numpy as np
import pytest

from ictrack.visualization.colors import text_color, track_color


def oklab(color):
    """sRGB (0..255) to OKLab, by the forward matrices of Ottosson's definition."""
    c = np.array(color) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    to_lms = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
              [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    to_lab = [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
              [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.array(to_lab) @ np.cbrt(np.array(to_lms) @ c)


def test_colors_are_fixed():
    """A change here changes the colors of everyone's videos between versions."""
    expected = {0: (230, 105, 239), 1: (225, 206, 10), 2: (11, 137, 200), 1000: (227, 182, 254)}
    assert {track_id: track_color(track_id) for track_id in expected} == expected


@pytest.mark.parametrize(("count", "distance"), [(10, 0.13), (12, 0.10)])
def test_first_identities_are_told_apart(count, distance):
    colors = [oklab(track_color(track_id)) for track_id in range(count)]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)) > distance


def test_neighbours_are_told_apart_everywhere():
    for start in range(0, 2000, 37):
        colors = [oklab(track_color(track_id)) for track_id in range(start, start + 4)]
        assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(colors, 2)) > 0.07, start


def test_lightness_is_as_wanted():
    for track_id in range(60):
        assert oklab(track_color(track_id))[0] == pytest.approx((0.72, 0.84, 0.60)[track_id % 3], abs=0.01)


def test_text_is_readable_on_every_color():
    def luminance(color):
        c = np.array(color) / 255
        return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    for track_id in range(100):
        background = track_color(track_id)
        a, b = sorted((luminance(background), luminance(text_color(background))))
        assert (b + 0.05) / (a + 0.05) > 4.5, "WCAG AA"
    assert text_color((0, 0, 60)) == (255, 255, 255)
