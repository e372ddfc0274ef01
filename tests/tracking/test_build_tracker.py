"""One line of configuration switches between all trackers."""

import pytest
import torch
from detectron2.structures import Instances

from ictrack.tracking import EmbeddingTracker, SpatialTracker, TrackerInputError, build_tracker, current_detections

DETECTRON2 = ["BBoxIOUTracker", "VanillaHungarianBBoxIOUTracker", "IOUWeightedHungarianBBoxIOUTracker"]
ALL = ["EmbeddingTracker", "SpatialTracker", *DETECTRON2]


@pytest.fixture
def make_frame(make_detections):
    """Three objects that move by 2 pixels a frame, in an order that changes, with all that a detector gives."""

    def make(time, order):
        boxes = [[50.0 * i + 2 * time, 10.0, 50.0 * i + 2 * time + 30, 60.0] for i in order]
        columns = torch.arange(200) + torch.zeros(100, 1)
        return make_detections(
            embeddings=torch.eye(3)[order].tolist(),
            scores=[0.9, 0.05, 0.8, 0.7][: len(order)],
            classes=[0] * len(order),
            boxes=boxes,
            pred_masks=torch.stack([torch.zeros(100, 200) > 0, *((columns >= b[0]) & (columns < b[2]) for b in boxes)])[
                1:
            ],
            pred_keypoints=torch.rand(len(order), 17, 3),
            grid_cells=torch.zeros(len(order), 3, dtype=torch.int64),
            objects=list(order),
        )

    return make


@pytest.mark.parametrize("name", ALL)
def test_the_name_is_enough(make_cfg, make_frame, name):
    cfg = make_cfg("TRACKER_NAME", name)
    tracker = build_tracker(cfg, height=100, width=200)
    assert cfg.TRACKER_HEADS.VIDEO_HEIGHT == 0  # left alone
    for _ in range(2):
        identity_of = {}
        for time, order in enumerate([[0, 0, 1, 2], [2, 2, 0, 1], [1, 1, 2, 0], [0, 0, 2]]):
            frame = make_frame(time, order)
            tracked = current_detections(tracker.update(frame))
            assert tracked.ID.dtype == torch.int64
            assert tracked.objects == [order[0], *order[2:]]  # the detection of score 0.05 does not enter
            assert len(set(tracked.ID.tolist())) == len(tracked)
            assert tracked.pred_masks.dtype == torch.bool
            assert set(tracked.get_fields()) == set(frame.get_fields()) | {"ID"}
            for thing, identity in zip(tracked.objects, tracked.ID.tolist()):
                assert identity_of.setdefault(thing, identity) == identity
        assert sorted(identity_of.values()) == [0, 1, 2]
        tracker.reset()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("start", [0, 1, 2])
def test_empty_frames(make_cfg, make_frame, name, start):
    """First, in between, last and several in a row; without any field, too."""
    tracker = build_tracker(make_cfg("TRACKER_NAME", name), 100, 200)
    full, empty, bare = make_frame(0, [0, 0, 1]), make_frame(0, []), Instances((100, 200))
    seen = set()
    for frame in [empty, bare, full, empty, bare, full, full, empty][start:]:
        tracked = tracker.update(frame)
        assert len(tracked.ID) == (2 if frame is full else 0)
        assert tracked.ID.dtype == torch.int64
        seen |= set(tracked.ID.tolist())
    # Detectron2's own forget in an empty frame (MAX_LOST_FRAME_COUNT 0).
    assert seen == ({0, 1, 2, 3} if name in DETECTRON2 else {0, 1})


@pytest.mark.parametrize("name", DETECTRON2)
def test_rows_of_earlier_frames_do_not_come_back(make_cfg, make_frame, name):
    """MAX_LOST_FRAME_COUNT makes Detectron2's trackers append lost rows; the identity survives the gap."""
    cfg = make_cfg("TRACKER_NAME", name, "MAX_LOST_FRAME_COUNT", 2, "MIN_INSTANCE_PERIOD", 0)
    tracker = build_tracker(cfg, 100, 200)
    frames = [make_frame(0, order) for order in ([0, 0, 1, 2], [0, 0, 2], [0, 0, 1, 2])]
    assert [tracker.update(frame).ID.tolist() for frame in frames] == [[0, 1, 2], [0, 2], [0, 1, 2]]


def test_ours_come_back_as_they_are(make_cfg):
    assert type(build_tracker(make_cfg("TRACKER_NAME", "EmbeddingTracker"), 1, 1)) is EmbeddingTracker
    assert type(build_tracker(make_cfg("TRACKER_NAME", "SpatialTracker"), 1, 1)) is SpatialTracker


def test_an_unknown_name_is_refused(make_cfg):
    with pytest.raises(KeyError, match="NoTracker"):
        build_tracker(make_cfg("TRACKER_NAME", "NoTracker"), 1, 1)


@pytest.mark.parametrize("name", ALL)
def test_broken_scores_are_refused(make_cfg, make_frame, name):
    frame = make_frame(0, [0, 1])
    frame.scores[1] = float("nan")
    with pytest.raises(TrackerInputError, match="not finite"):
        build_tracker(make_cfg("TRACKER_NAME", name), 100, 200).update(frame)
