from dataclasses import replace

import numpy as np

from ictrack.identities import Tracklet, certain_tracklets
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.rle_masks import encode_mask


def frame(index, *boxes, masks=False):
    """Detections with boxes x0, y0, x1, y1."""
    count = len(boxes)
    array = np.array(boxes, dtype=float).reshape(-1, 4)
    rles = None
    if masks:
        rles = []
        for x0, y0, x1, y1 in boxes:
            mask = np.zeros((60, 120), bool)
            mask[y0:y1, x0:x1] = True
            rles.append(encode_mask(mask))
    return FrameTracks(index, np.ones(count), np.zeros(count, np.int64), array, rles=rles)


def spans(tracklets):
    return [(int(x.frames[0]), int(x.frames[-1]), x.rows.tolist()) for x in tracklets]


def left(x):
    return [x, 10, x + 20, 20]


def test_objects_apart_are_followed_whatever_their_rows():
    frames = [frame(0, left(0), left(60)), frame(1, left(62), left(3)), frame(2, left(6), left(64))]
    for masks in (False, True):
        frames = [frame(x.index, *x.boxes.astype(int).tolist(), masks=masks) for x in frames]
        assert spans(certain_tracklets(frames, 1)) == [(0, 2, [0, 1, 0]), (0, 2, [1, 0, 1])]


def test_a_region_that_overlaps_two_ends_both():
    together = [20, 10, 66, 20]
    frames = [frame(0, left(20), left(46)), frame(1, together), frame(2, left(18), left(48))]
    assert spans(certain_tracklets(frames, 1)) == [(0, 0, [0]), (0, 0, [1]), (2, 2, [0]), (2, 2, [1])]


def test_a_sudden_change_of_area_is_no_continuation():
    frames = [frame(0, left(0)), frame(1, left(0)), frame(2, [0, 10, 20, 40])]
    assert spans(certain_tracklets(frames, 1)) == [(0, 1, [0, 0])]


def test_objects_that_touch_all_along_are_left_out():
    frames = [frame(t, left(0), left(40), [80, 10, 118, 20]) for t in range(5)]
    assert spans(certain_tracklets(frames, 1)) == [(0, 4, [0] * 5), (0, 4, [1] * 5)]


def test_a_missing_frame_ends_tracklets_and_short_ones_are_left_out():
    frames = [frame(0, left(0)), frame(1, left(0)), frame(3, left(0))]
    assert spans(certain_tracklets(frames, 1)) == [(0, 1, [0, 0]), (3, 3, [0])]
    assert spans(certain_tracklets(frames, 2)) == [(0, 1, [0, 0])]


def test_nothing():
    assert certain_tracklets([], 1) == [] and certain_tracklets([frame(0)], 1) == []


def test_parts_of_a_tracklet():
    tracklet = Tracklet(np.arange(10, 20), np.arange(10))
    thin = tracklet.thinned(4)
    assert thin.frames.tolist() == [12, 16] and thin.rows.tolist() == [2, 6]
    assert thin.position(13) == 1 and tracklet.part(2, 4).frames.tolist() == [12, 13]
    assert tracklet.is_unbroken and thin.is_unbroken
    assert not Tracklet(np.array([1, 2, 5]), np.zeros(3, int)).is_unbroken


def test_boxes_may_lie_in_memory_in_any_order():
    frames = [frame(0, left(0), left(60)), frame(1, left(62), left(3)), frame(2, left(6), left(64))]
    frames = [replace(x, boxes=np.asfortranarray(x.boxes)) for x in frames]
    assert spans(certain_tracklets(frames, 1)) == [(0, 2, [0, 1, 0]), (0, 2, [1, 0, 1])]


def test_neighbors_that_overlap_a_little_end_tracklets_only_where_objects_may_merge():
    """In a crowd the box of one overlaps where the other was; a region could have been both."""
    frames = [frame(t, [t, 10, t + 20, 20], [t + 19, 10, t + 39, 20]) for t in range(0, 6, 2)]
    frames = [replace(x, index=number) for number, x in enumerate(frames)]
    assert [len(x) for x in certain_tracklets(frames, 1, may_merge=False)] == [3, 3]
    assert [len(x) for x in certain_tracklets(frames, 1)] == [1] * 6
