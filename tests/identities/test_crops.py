import cv2
import numpy as np
import pytest

from ictrack.identities import CropCutter
from ictrack.identities.crops import SIZE, length_of


def tadpole(angle, shift=(0, 0)):
    """A thick head with a thin tail, 34 pixels long, and a bright spot in the head; turned about its place."""
    image = np.full((100, 100, 3), 200, np.uint8)
    cv2.ellipse(image, (42, 50), (10, 6), 0, 0, 360, (60, 60, 60), -1)
    cv2.line(image, (50, 50), (66, 50), (60, 60, 60), 2)
    cv2.circle(image, (38, 50), 2, (110, 110, 110), -1)
    turn = cv2.getRotationMatrix2D((50, 50), angle, 1)
    turn[:, 2] += shift
    image = cv2.warpAffine(image, turn, (100, 100), borderValue=(200, 200, 200))
    return image, image[..., 0] < 150


@pytest.mark.parametrize("angle, shift", [(0, (0, 0)), (90, (3, -4)), (200, (-6, 5)), (315, (2, 2))])
def test_crops_are_alike_whatever_the_direction(angle, shift):
    reference, turned = (CropCutter(36.0)(*tadpole(*pose)) for pose in ((0, (0, 0)), (angle, shift)))
    assert turned.shape == (*SIZE, 3) and turned.dtype == np.uint8
    shared = (reference > 0) & (turned > 0)
    assert shared.sum() / ((reference > 0) | (turned > 0)).sum() > 0.75
    assert np.abs(reference.astype(int) - turned)[shared].mean() < 8


@pytest.mark.parametrize("shift", [(1, 0), (0, 1), (7, -5), (400, 300)])
def test_equal_objects_at_different_places_give_equal_crops(shift):
    """Also an ellipse, neither of whose ends is thicker: rounding must not tell where it is."""
    crops = []
    for x, y in ((60, 50), (60 + shift[0], 50 + shift[1])):
        image = np.full((400, 500, 3), 200, np.uint8)
        cv2.ellipse(image, (x, y), (16, 6), 0, 0, 360, (50, 50, 50), -1)
        crops.append(CropCutter(33.0)(image, image[..., 0] < 150))
    assert (crops[0] == crops[1]).all()


def test_the_thick_end_is_on_the_left():
    rows = (CropCutter(36.0)(*tadpole(123)) > 0).any(axis=2).sum(axis=0)
    filled = np.flatnonzero(rows)
    assert rows[filled[: len(filled) // 3]].mean() > 2 * rows[filled[-len(filled) // 3 :]].mean()


def test_nothing_of_the_surroundings_is_seen():
    image, mask = tadpole(30)
    image[~mask] = 255
    assert CropCutter(36.0)(image, mask).max() < 210


def test_length():
    assert length_of(np.eye(20, dtype=bool)) == pytest.approx(19 * 2**0.5 + 1)
    assert length_of(np.zeros((5, 5), bool)) == 0
