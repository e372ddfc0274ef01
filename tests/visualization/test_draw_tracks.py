"""Tracks on frames: what is drawn where, in which color, and what is left alone."""

import cv2
import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from ictrack.visualization.colors import track_color
from ictrack.visualization.draw_tracks import TrackDrawer, legible_scale


def instances_of(size, boxes, ids, with_masks=True, hole=None):
    """Rectangular instances, (x0, y0, x1, y1) each."""
    instances = Instances(size)
    instances.pred_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4))
    instances.scores = torch.full((len(boxes),), 0.876)
    instances.pred_classes = torch.zeros(len(boxes), dtype=torch.int64)
    instances.ID = torch.tensor(ids, dtype=torch.int64)
    if with_masks:
        masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes):
            mask[y0:y1, x0:x1] = True
            if hole:
                mask[hole[1] : hole[3], hole[0] : hole[2]] = False
        instances.pred_masks = masks
    return instances


def grey(height=240, width=320):
    return np.full((height, width, 3), 128, np.uint8)


def changed(frame, drawn):
    return (frame != drawn).any(axis=-1)


def test_mask_is_blended_in_the_color_of_the_identity():
    frame = grey()
    drawn = TrackDrawer(mask_opacity=0.4).draw(frame, instances_of((240, 320), [(100, 80, 200, 180)], [5]))
    expected = 0.6 * 128 + 0.4 * np.array(track_color(5)[::-1])
    assert np.abs(drawn[110, 120] - expected).max() <= 1  # inside, off the center
    assert (frame == 128).all(), "the input is left alone"
    touched = changed(frame, drawn)
    touched[:180, 90:] &= False  # mask, outline and label
    assert not touched[:, :90].any() and not touched[190:].any()


def test_hole_of_a_mask_stays_clear():
    frame = grey()
    drawn = TrackDrawer(trail_length=0).draw(
        frame, instances_of((240, 320), [(100, 80, 200, 180)], [5], hole=(130, 110, 170, 150))
    )
    assert not changed(frame, drawn)[115:145, 135:165].any()


def test_box_is_outlined_where_there_is_no_mask():
    frame = grey()
    drawn = TrackDrawer(trail_length=0).draw(
        frame, instances_of((240, 320), [(100, 80, 200, 180)], [5], with_masks=False)
    )
    assert not changed(frame, drawn)[90:170, 110:190].any()
    np.testing.assert_allclose(drawn[120, 100].astype(int), track_color(5)[::-1], atol=20)  # smoothed


def test_same_identity_same_color_on_every_frame():
    drawer = TrackDrawer(trail_length=0)
    first = drawer.draw(grey(), instances_of((240, 320), [(10, 80, 60, 180), (200, 80, 260, 180)], [3, 8]))
    second = drawer.draw(grey(), instances_of((240, 320), [(200, 80, 260, 180), (10, 80, 60, 180)], [3, 8]))
    np.testing.assert_array_equal(first[150, 30], second[150, 230])
    np.testing.assert_array_equal(first[150, 230], second[150, 30])
    assert (first[150, 30] != first[150, 230]).any()


def test_scale_enlarges_frame_and_drawing():
    frame = grey(60, 80)
    drawn = TrackDrawer(scale=3, trail_length=0).draw(frame, instances_of((60, 80), [(40, 30, 60, 50)], [0]))
    assert drawn.shape == (180, 240, 3)
    touched = changed(np.full_like(drawn, 128), drawn)
    assert touched[100:140, 130:170].all()
    assert not touched[155:].any() and not touched[100:, 186:].any()


@pytest.mark.parametrize("scale", [0, 1.5, -1])
def test_scale_must_be_a_positive_integer(scale):
    with pytest.raises(ValueError, match="scale"):
        TrackDrawer(scale=scale)


@pytest.mark.parametrize(
    ("size", "scale"), [((192, 320), 3), ((144, 176), 4), ((480, 640), 1), ((1080, 1920), 1), ((64, 9000), 1)]
)
def test_legible_scale(size, scale):
    assert legible_scale(*size) == scale


def trail_pixels(drawer, boxes_by_frame):
    """Pixels that differ from drawing the last frame alone, and that last frame's instances."""
    for boxes in boxes_by_frame:
        instances = instances_of((240, 320), boxes, [0] * len(boxes))
        drawn = drawer.draw(grey(), instances)
    alone = TrackDrawer(trail_length=1).draw(grey(), instances)
    return changed(alone, drawn)


def test_trail_shows_where_the_object_was():
    steps = [[(20 + 10 * i, 100, 40 + 10 * i, 120)] for i in range(15)]
    trail = trail_pixels(TrackDrawer(), steps)
    assert trail[108:113, 32:150].any(axis=0).all(), "from the first center to the object"
    assert not trail[:100].any() and not trail[125:].any()


def test_trail_is_as_long_as_asked():
    steps = [[(20 + 10 * i, 100, 40 + 10 * i, 120)] for i in range(15)]
    trail = trail_pixels(TrackDrawer(trail_length=5), steps)
    assert not trail[:, :115].any() and trail[108:113, 122:140].any(axis=0).all()


def test_trail_breaks_where_the_object_was_out_of_sight():
    here, there = [(20, 100, 40, 120)], [(280, 100, 300, 120)]
    trail = trail_pixels(TrackDrawer(), [here, here, [], there, there])
    assert not trail[:, 50:270].any()


def test_trails_of_lost_tracks_are_forgotten():
    drawer = TrackDrawer(trail_length=3)
    for track_id in range(50):
        drawer.draw(grey(), instances_of((240, 320), [(20, 100, 40, 120)], [track_id]))
    assert len(drawer._trails) <= 4 and all(len(trail) <= 4 for trail in drawer._trails.values())


def test_labels_do_not_cover_each_other_and_stay_inside():
    boxes = [(0, 0, 60, 60), (4, 0, 64, 60), (8, 2, 68, 62), (260, 0, 320, 50), (150, 200, 210, 240)]
    apart = TrackDrawer(["cat"], trail_length=0)
    drawn = apart.draw(grey(), instances_of((240, 320), boxes, list(range(5))))
    for track_id in range(5):  # the chip's color, solid, for each identity
        chip = (drawn == track_color(track_id)[::-1]).all(axis=-1).astype(np.uint8)
        chip = cv2.morphologyEx(chip, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        assert chip.sum() > 40, f"the label of {track_id} is hidden"


def test_label_tells_category_and_score():
    frame = grey()
    instances = instances_of((240, 320), [(100, 80, 200, 180)], [5])
    drawn = {
        (names, scores): TrackDrawer(names and [names], show_scores=scores, trail_length=0).draw(frame, instances)
        for names in (None, "cat", "giant panda")
        for scores in (False, True)
    }
    widths = {key: np.flatnonzero(changed(frame, image)[:70].any(axis=0)).max() for key, image in drawn.items()}
    assert widths[None, False] < widths[None, True] < widths["cat", True] < widths["giant panda", True]
    assert widths[None, False] < widths["cat", False] < widths["cat", True]


def test_empty_masks_no_instances_and_masks_at_the_border():
    drawer, frame = TrackDrawer(["cat"]), grey()
    np.testing.assert_array_equal(drawer.draw(frame, instances_of((240, 320), [], [])), frame)
    empty = instances_of((240, 320), [(50, 50, 50, 50)], [0])
    np.testing.assert_array_equal(drawer.draw(frame, empty), frame)
    full = drawer.draw(frame, instances_of((240, 320), [(0, 0, 320, 240)], [1]))
    assert changed(frame, full).all()


def test_label_wider_than_the_frame_is_cut():
    frame = grey(20, 24)
    drawn = TrackDrawer(["a category with a long name"]).draw(frame, instances_of((20, 24), [(4, 4, 20, 16)], [0]))
    assert drawn.shape == frame.shape
