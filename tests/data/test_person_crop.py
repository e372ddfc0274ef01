"""Crops around people: pixels and coordinates move together."""

import numpy as np
import pytest

from ictrack.data.person_crop import CropTransform, RandomPersonCrop

FILL = (10.0, 20.0, 30.0)


def square(height=60, width=80, x=40, y=20, side=12):
    image = np.zeros((height, width, 3), np.uint8)
    image[y : y + side, x : x + side] = 255
    return image


@pytest.mark.parametrize("scale", [0.37, 0.5, 1.0, 2.0])
def test_pixels_and_coordinates_agree(scale):
    """The bright square's center of mass is where its center's coordinates go."""
    crop = CropTransform(scale, (45.0, 27.0), (64, 96), FILL)
    bright = crop.apply_image(square())[..., 0].astype(float)
    bright[bright < 20] = 0  # without the padding
    rows, columns = np.indices(bright.shape) + 0.5
    found = np.array([(columns * bright).sum(), (rows * bright).sum()]) / bright.sum()
    np.testing.assert_allclose(found, crop.apply_coords(np.array([[46.0, 26.0]]))[0], atol=0.05)
    mask = crop.apply_segmentation((square()[..., 0] > 0).astype(np.uint8))
    assert abs(np.sqrt(mask.sum()) - 12 * scale) < 1  # whole pixels


def test_the_center_comes_to_the_middle_and_what_is_outside_is_filled():
    crop = CropTransform(1.0, (0.0, 0.0), (40, 50), FILL)
    image = crop.apply_image(np.full((60, 80, 3), 200, np.uint8))
    assert image.shape == (40, 50, 3)
    assert (image[20:, 25:] == 200).all()
    assert (image[:20] == FILL).all() and (image[:, :25] == FILL).all()
    assert crop.apply_coords(np.zeros((1, 2))).tolist() == [[25, 20]]


def test_shrinking_averages():
    """Every fourth column is bright: the mean of four, where interpolation would see only the two in the middle."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::4] = 200
    middle = CropTransform(0.25, (32.0, 32.0), (8, 8), FILL).apply_image(stripes)
    np.testing.assert_allclose(middle, 50, atol=2)


def test_a_random_persons_center_at_a_scale_relative_to_the_fit():
    boxes = np.array([[0.0, 0.0, 10.0, 20.0], [50.0, 30.0, 70.0, 50.0]])
    crop = RandomPersonCrop((0.5, 1.5), (120, 160), FILL)
    drawn = [crop.get_transform(square(), boxes) for _ in range(200)]
    centers = {tuple(np.round((np.array([80, 60]) - t.offset) / t.scale, 6)) for t in drawn}
    assert centers == {(5.0, 10.0), (60.0, 40.0)}
    scales = np.array([t.scale for t in drawn]) / 2  # an image of 60 x 80 fits twice as large
    assert 0.5 <= scales.min() < 0.55 and 1.45 < scales.max() <= 1.5


def test_the_published_crop_magnifies_the_original_pixels():
    """1 / U(0.5, 1.5), whatever the image's size, and black where there is no image."""
    boxes = np.array([[50.0, 30.0, 70.0, 50.0]])
    crop = RandomPersonCrop((0.5, 1.5), (120, 160), (0, 0, 0), of_pixels=True)
    drawn = [crop.get_transform(square(), boxes) for _ in range(300)]
    np.testing.assert_allclose([(np.array([80, 60]) - t.offset) / t.scale for t in drawn], [[60.0, 40.0]] * 300)
    sizes = 1 / np.array([t.scale for t in drawn])
    assert 0.5 <= sizes.min() < 0.53 and 1.47 < sizes.max() <= 1.5
    assert abs(sizes.mean() - 1) < 0.07  # the size is uniform, not the magnification, whose mean is 1.1


def test_nobody():
    crop = RandomPersonCrop((1.0, 1.0), (60, 80), FILL)
    np.testing.assert_array_equal(crop.get_transform(square(), np.zeros((0, 4))).apply_image(square()), square())
