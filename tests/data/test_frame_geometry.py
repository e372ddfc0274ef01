"""Windows: the mapping by hand, and that images follow it."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.data.frame_geometry import (
    PAD_VALUE,
    Window,
    apply_window,
    draw_window,
    is_mirrored,
    visible_cells,
    warp_points,
    window_reduction,
    window_to_source,
)
from ictrack.data.image_file import SourceFrame, shrink


def mapped(affine, x, y):
    return (affine @ [x, y, 1]).tolist()


def test_mapping_by_hand():
    """720p to 360p: twice the coordinates; mirrored; the right half at zoom 2; a square from the right edge."""
    whole = window_to_source(Window(1, 0, False, (0, 0)), (720, 1280), (360, 640))
    assert mapped(whole, 0, 0) == [0, 0] and mapped(whole, 640, 360) == [1280, 720]
    mirrored = window_to_source(Window(1, 0, True, (0, 0)), (720, 1280), (360, 640))
    assert mapped(mirrored, 0, 0) == [1280, 0] and mapped(mirrored, 640, 360) == [0, 720]
    half = window_to_source(Window(2, 0, False, (1, 0)), (720, 1280), (360, 640))
    assert mapped(half, 0, 0) == [640, 0] and mapped(half, 640, 360) == [1280, 360]
    square = window_to_source(Window(1, 0, False, (1, 0.3)), (720, 1280), (90, 90))
    assert mapped(square, 0, 0) == [560, 0] and mapped(square, 90, 90) == [1280, 720]


def test_a_turned_window_turns_about_its_center():
    affine = window_to_source(Window(1, np.pi / 2, False, (0.5, 0.5)), (100, 100), (50, 50))
    assert mapped(affine, 25, 25) == pytest.approx([50, 50])
    assert mapped(affine, 50, 25) == pytest.approx([50, 100])


@pytest.mark.parametrize("flip", [False, True])
def test_points_go_the_other_way(flip):
    affine = window_to_source(Window(1.7, 0.4, flip, (0.2, 0.9)), (720, 1280), (90, 160))
    points = np.array([[[3.0, 5], [90, 20]], [[160, 90], [-7, 100]]])
    in_source = points @ affine[:, :2].T + affine[:, 2]
    np.testing.assert_allclose(warp_points(in_source, affine), points)
    assert is_mirrored(affine) == flip


@pytest.mark.parametrize(("zoom", "expected"), [(0.5, 4), (1, 2), (1.01, 1), (2, 1), (5, 1), (0.1, 8)])
def test_frames_are_never_enlarged_after_decoding(zoom, expected):
    affine = window_to_source(Window(zoom, 0.3, True, (0, 0)), (720, 1280), (360, 640))
    assert window_reduction(affine) == expected
    assert window_reduction(affine, max_enlargement=1.25) == {1.01: 2, 2: 1, 5: 1}.get(zoom, expected)


def smooth_frame(height=120, width=160):
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([x, y, 128 + 60 * np.sin(x / 20) * np.cos(y / 25)], axis=2)


@settings(max_examples=40, deadline=None)
@given(
    zoom=st.floats(0.6, 3),
    angle=st.floats(-0.5, 0.5),
    flip=st.booleans(),
    offset=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    reduction=st.sampled_from([1, 2]),
)
def test_the_image_follows_the_mapping(zoom, angle, flip, offset, reduction):
    """Blue and green hold the source's coordinates: each pixel must show those to which the mapping takes it."""
    frame = smooth_frame().round().astype(np.uint8)
    source = SourceFrame(shrink(frame, reduction), *frame.shape[:2], reduction)
    size = (48, 64)
    affine = window_to_source(Window(zoom, angle, flip, offset), frame.shape[:2], size)
    image = apply_window(source, affine, size).astype(float)
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    source_x, source_y = (affine[i, 0] * x + affine[i, 1] * y + affine[i, 2] for i in range(2))
    margin = 2 * reduction
    inside = (source_x > margin) & (source_x < 160 - margin) & (source_y > margin) & (source_y < 120 - margin)
    assert np.abs(image[..., 0] - source_x)[inside].max(initial=0) < 1.6
    assert np.abs(image[..., 1] - source_y)[inside].max(initial=0) < 1.6
    outside = (source_x < -margin) | (source_x > 160 + margin) | (source_y < -margin) | (source_y > 120 + margin)
    assert (image[outside] == PAD_VALUE).all()


def test_the_whole_frame_is_not_resampled():
    frame = np.random.randint(0, 255, (60, 80, 3), dtype=np.uint8)
    affine = window_to_source(Window(1, 0, False, (0.2, 0.9)), (60, 80), (60, 80))
    assert np.array_equal(apply_window(SourceFrame(frame, 60, 80, 1), affine, (60, 80)), frame)


def test_visible_cells_are_those_with_their_center_in_the_frame():
    affine = np.array([[1.0, 0, -8], [0, 1, 0]])  # the frame starts at x = 8 of the output, and is 14 wide
    assert visible_cells(affine, (8, 14), (8, 32), 8).tolist() == [[False, True, True, False]]


def test_drawn_windows_stay_in_their_ranges():
    windows = [draw_window((0.8, 1.5), 10, flip=True) for _ in range(200)]
    assert all(0.8 <= w.zoom <= 1.5 and abs(w.angle) <= np.deg2rad(10) and w.flip for w in windows)
    assert all(0 <= value <= 1 for w in windows for value in w.offset)
    assert len({w.offset for w in windows}) == 200


def test_upright_windows_at_zoom_1_and_above_show_no_padding():
    for _ in range(20):
        affine = window_to_source(draw_window((1, 2), 0, flip=False), (90, 200), (40, 64))
        assert visible_cells(affine, (90, 200), (40, 64), 8).all()
        frame = SourceFrame(np.zeros((90, 200, 3), np.uint8), 90, 200, 1)
        assert cv2.countNonZero(apply_window(frame, affine, (40, 64))[..., 0]) == 0
