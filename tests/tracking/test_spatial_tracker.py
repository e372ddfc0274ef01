"""The spatial trackers by hand-computed distances and overlaps."""

import io

import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks

from ictrack.tracking import SpatialTracker, TrackerInputError
from ictrack.tracking.spatial_tracker import _mask_centers


def box(x, y=10.0, size=20.0):
    return [x, y, x + size, y + size]


def mask(*rectangles):
    """Masks (N, 100, 200) of (x1, y1, x2, y2) rectangles."""
    masks = torch.zeros(len(rectangles), 100, 200, dtype=torch.bool)
    for one, (x1, y1, x2, y2) in zip(masks, rectangles):
        one[y1:y2, x1:x2] = True
    return masks


@pytest.fixture
def follow(make_cfg, make_detections):
    """Identities in every frame; a frame is a dict of make_detections' arguments."""

    def run(frames, *options):
        tracker = SpatialTracker(make_cfg(*options))
        return [tracker.update(make_detections(**frame)).ID.tolist() for frame in frames]

    return run


IOU = ("SPATIAL.COST", "iou")


def test_the_nearest_wins_and_the_gate_is_in_square_roots_of_the_area(follow):
    """Boxes of 20 x 20: 20 pixels are a distance of 1."""
    frames = [{"boxes": [box(10.0), box(50.0)]}, {"boxes": [box(65.0), box(20.0)]}, {"boxes": [box(85.5), box(20.0)]}]
    assert follow(frames) == [[0, 1], [1, 0], [2, 0]]
    assert follow(frames, "SPATIAL.MAX_DISTANCE", 1.1) == [[0, 1], [1, 0], [1, 0]]


def test_greedy_by_distance(follow):
    """Detection 1 is nearest to track 0; detection 0 takes track 1, its second choice, or starts a track."""
    frames = [{"boxes": [box(10.0), box(30.0)]}, {"boxes": [box(18.0), box(12.0)]}]
    assert follow(frames) == [[0, 1], [1, 0]]
    assert follow(frames, "SPATIAL.MAX_DISTANCE", 0.5) == [[0, 1], [2, 0]]


def test_a_loser_starts_a_track_from_the_ordinary_score_on(follow):
    frames = [{"boxes": [box(10.0)]}, {"boxes": [box(10.0), box(12.0)], "scores": [0.9, 0.35]}]
    assert follow(frames) == [[0], [0, 1]]
    frames[1]["scores"] = [0.9, 0.25]
    assert follow(frames) == [[0], [0]]


def test_last_known_position_is_kept(follow):
    frames = [{"boxes": [box(10.0)]}, {"boxes": []}, {"boxes": [box(100.0)]}, {"boxes": [box(12.0)]}]
    assert follow(frames) == [[0], [], [1], [0]]
    assert follow(frames, "MAX_AGE", 2) == [[0], [], [1], [2]]


@pytest.mark.parametrize("cost", ["distance", "iou"])
def test_categories(follow, cost):
    frames = [{"boxes": [box(10.0)], "classes": [0]}, {"boxes": [box(10.0)], "classes": [1]}]
    assert follow(frames, "SPATIAL.COST", cost) == [[0], [1]]
    assert follow(frames, "SPATIAL.COST", cost, "SPATIAL.SAME_CATEGORY", False) == [[0], [0]]


def test_mask_centers_and_areas():
    centers, areas = _mask_centers(mask((10, 20, 14, 30), (0, 0, 1, 1), (0, 0, 0, 0)).numpy())
    np.testing.assert_allclose(centers, [[12, 25], [0.5, 0.5], [0, 0]])
    assert areas.tolist() == [40, 1, 0]


@pytest.mark.parametrize("kind", [torch.Tensor.clone, BitMasks])
def test_masks_decide_where_there_are_masks(follow, kind):
    """Equal boxes; centroids 0 and 30 pixels from the track's, whose area is 400 (distance 1.5)."""
    boxes = [[10.0, 10.0, 90.0, 90.0]]
    first = {"boxes": boxes, "pred_masks": kind(mask((10, 10, 30, 30)))}
    for x, expected in ((10, [0]), (40, [1])):
        assert follow([first, {"boxes": boxes, "pred_masks": kind(mask((x, 10, x + 20, 30)))}])[1] == expected
        assert follow([first, {"boxes": boxes, "pred_masks": kind(mask((x, 10, x + 20, 30)))}], *IOU)[1] == expected


def test_an_empty_mask_falls_back_on_its_box(follow):
    frames = [{"boxes": [box(50.0)], "pred_masks": mask((0, 0, 0, 0))}] * 2
    assert follow(frames) == [[0], [0]]


def test_iou_of_masks(follow):
    """10 x 10 masks shifted by 8 and by 9 columns: IoU 20/180 and 10/190."""
    for shift, expected in ((8, [0]), (9, [1])):
        frames = [{"boxes": [box(10.0)], "pred_masks": mask((x, 10, x + 10, 20))} for x in (10, 10 + shift)]
        assert follow(frames, *IOU)[1] == expected


def test_iou_of_boxes(follow):
    frames = [{"boxes": [box(10.0)]}, {"boxes": [box(26.0)]}, {"boxes": [box(43.0)]}]  # IoU 80/720 and 60/740
    assert follow(frames, *IOU) == [[0], [0], [1]]


def poses(*people):
    """Keypoints (N, 2, 3): joints at (x, 0) and (x, 10), with the score of the second."""
    return torch.tensor([[[x, 0.0, 0.9], [far, 10.0, score]] for x, far, score in people])


def test_poses_are_compared_by_joints_valid_in_both(follow):
    """20 x 20 boxes; the second joint is 100 pixels off: mean distance 2.5, or 0 where it is not valid."""
    frames = [{"boxes": [box(10.0)], "pred_keypoints": poses((10.0, 10.0, 0.9))}]
    for score, expected in ((0.9, [1]), (0.1, [0])):
        frames[1:] = [{"boxes": [box(10.0)], "pred_keypoints": poses((10.0, 110.0, score))}]
        assert follow(frames)[1] == expected


def test_state_with_masks_can_be_saved(make_cfg, make_detections):
    cfg = make_cfg(*IOU)
    tracker, restored, file = SpatialTracker(cfg), SpatialTracker(cfg), io.BytesIO()
    frame = make_detections(boxes=[box(10.0), box(50.0)], pred_masks=mask((10, 10, 30, 30), (50, 10, 70, 30)))
    tracker.update(frame)
    np.savez(file, **tracker.state_dict())
    file.seek(0)
    restored.load_state_dict(np.load(file, allow_pickle=False))
    swapped = frame[torch.tensor([1, 0])]
    assert restored.update(swapped).ID.tolist() == tracker.update(swapped).ID.tolist() == [1, 0]


def test_frames_must_have_the_same_fields(make_cfg, make_detections):
    tracker = SpatialTracker(make_cfg(*IOU))
    tracker.update(make_detections(boxes=[box(10.0)], pred_masks=mask((10, 10, 30, 30))))
    with pytest.raises(TrackerInputError, match=r"frame 1: .*masks"):
        tracker.update(make_detections(boxes=[box(10.0)]))


def test_an_unknown_cost_is_refused(make_cfg):
    with pytest.raises(ValueError, match="COST 'giou'"):
        SpatialTracker(make_cfg("SPATIAL.COST", "giou"))
