"""Options of all trackers beyond the paper: a first pass of high scores, limits of speed and overlap, voted classes."""

import io

import numpy as np
import pytest

from ictrack.tracking import EmbeddingTracker, SpatialTracker

RIGHT, UP, NEARLY_RIGHT = [1.0, 0.0], [0.0, 1.0], [0.99, 0.14]


def box(x, side=20.0):
    return [x, 10.0, x + side, 10.0 + side]


def ids(tracked):
    return tracked.ID.tolist()


@pytest.mark.parametrize("assignment", ["score_order", "hungarian"])
def test_high_scores_choose_first(make_cfg, make_detections, assignment):
    # The second detection fits the only track better, but has a low score.
    for high_score, expected in ((0.0, [0]), (0.6, [0])):
        tracker = EmbeddingTracker(
            make_cfg("HIGH_SCORE", high_score, "NEW_TRACK_SCORE", 0.95, "CONFLICT_NEW_TRACK_SCORE", 0.95,
                     "EMBEDDING.ASSIGNMENT", assignment)
        )  # fmt: skip
        tracker.update(make_detections([RIGHT], scores=[0.96]))
        tracked = tracker.update(make_detections([NEARLY_RIGHT, RIGHT], scores=[0.9, 0.3], rows=[0, 1]))
        assert ids(tracked) == expected
        assert tracked.rows == ([0] if high_score else [1])


def test_low_scores_take_the_tracks_that_are_left(make_cfg, make_detections):
    tracker = EmbeddingTracker(make_cfg("HIGH_SCORE", 0.6))
    tracker.update(make_detections([RIGHT, UP]))
    assert ids(tracker.update(make_detections([UP, RIGHT], scores=[0.2, 0.9]))) == [1, 0]
    assert ids(tracker.update(make_detections([UP, RIGHT], scores=[0.2, 0.2]))) == [1, 0]


def test_a_jump_starts_a_new_track(make_cfg, make_detections):
    # 45 pixels are 2.25 sides of the track's box in one frame, and 1.125 a frame in two.
    tracker = EmbeddingTracker(make_cfg("MAX_SPEED", 2.0))
    tracker.update(make_detections([RIGHT], boxes=[box(10)]))
    assert ids(tracker.update(make_detections([RIGHT], boxes=[box(55)]))) == [1]
    tracker.reset()
    tracker.update(make_detections([RIGHT], boxes=[box(10)]))
    tracker.update(make_detections([RIGHT], boxes=[box(10)], scores=[0.01]))
    assert ids(tracker.update(make_detections([RIGHT], boxes=[box(55)]))) == [0]


def test_frames_that_are_passed_over_count(make_cfg, make_detections):
    # As above; and a track that was last seen two frames ago has ended with MAX_AGE 1.
    for max_age, expected in ((0, [0]), (2, [0]), (1, [1])):
        tracker = EmbeddingTracker(make_cfg("MAX_SPEED", 2.0, "MAX_AGE", max_age))
        tracker.update(make_detections([RIGHT], boxes=[box(10)]))
        tracker.go_on_to(2)
        tracker.go_on_to(1)  # never back
        assert ids(tracker.update(make_detections([RIGHT], boxes=[box(55)]))) == expected
        assert tracker.state_dict()["frame"] == 3


def test_a_limit_of_speed_holds_for_the_spatial_tracker(make_cfg, make_detections):
    cfg = make_cfg("MAX_SPEED", 0.5, "SPATIAL.MAX_DISTANCE", 5.0)
    tracker = SpatialTracker(cfg)
    tracker.update(make_detections(boxes=[box(10)]))
    assert ids(tracker.update(make_detections(boxes=[box(25)]))) == [1]
    assert ids(tracker.update(make_detections(boxes=[box(30)]))) == [1]


def test_half_of_an_object_starts_no_track_beside_the_whole(make_cfg, make_detections):
    # Boxes of side 20, 5 pixels apart: an IoU of 15 / 25 = 0.6; 10 pixels apart: 1 / 3.
    tracker = EmbeddingTracker(make_cfg("NEW_TRACK_MAX_OVERLAP", 0.5))
    tracker.update(make_detections([RIGHT], boxes=[box(10)]))
    tracked = tracker.update(make_detections([UP, RIGHT], boxes=[box(15), box(10)], scores=[0.95, 0.4], rows=[0, 1]))
    assert (ids(tracked), tracked.rows) == ([0], [1])
    assert ids(tracker.update(make_detections([UP, RIGHT], boxes=[box(20), box(10)]))) == [1, 0]
    # A track that has begun goes on, however much it overlaps.
    assert ids(tracker.update(make_detections([UP, RIGHT], boxes=[box(11), box(10)]))) == [1, 0]


@pytest.mark.parametrize("tracker_class", [EmbeddingTracker, SpatialTracker])
def test_of_new_tracks_that_overlap_the_best_begins(make_cfg, make_detections, tracker_class):
    # The second overlaps with the better first, and the third with the second alone.
    tracker = tracker_class(make_cfg("NEW_TRACK_MAX_OVERLAP", 0.5))
    found = make_detections(
        [RIGHT, UP, [-1.0, 0.0]], boxes=[box(10), box(15), box(20)], scores=[0.9, 0.8, 0.7], rows=[0, 1, 2]
    )
    tracked = tracker.update(found)
    assert (ids(tracked), tracked.rows) == ([0, 1], [0, 2])


def test_classes_are_voted(make_cfg, make_detections):
    tracker = EmbeddingTracker(make_cfg("CLASS_VOTING", True))
    seen = [(16, 0.5), (21, 0.4), (21, 0.3), (16, 0.35)]
    elected = []
    for category, score in seen:
        predictions = make_detections([RIGHT], classes=[category], scores=[score])
        elected += tracker.update(predictions).pred_classes.tolist()
        assert predictions.pred_classes.tolist() == [category]  # the input is unchanged
    assert elected == [16, 16, 21, 16]


def test_votes_are_part_of_the_state(make_cfg, make_detections):
    cfg = make_cfg("CLASS_VOTING", True)
    tracker = EmbeddingTracker(cfg)
    tracker.update(make_detections([RIGHT, UP], classes=[3, 4], scores=[0.9, 0.8]))
    file = io.BytesIO()
    np.savez(file, **tracker.state_dict())
    file.seek(0)
    resumed = EmbeddingTracker(cfg)
    resumed.load_state_dict(np.load(file, allow_pickle=False))
    tracked = resumed.update(make_detections([UP, RIGHT], classes=[3, 5], scores=[0.5, 0.5]))
    assert tracked.pred_classes.tolist() == [4, 3]


def test_votes_of_forgotten_tracks_are_forgotten(make_cfg, make_detections):
    tracker = EmbeddingTracker(make_cfg("CLASS_VOTING", True, "MAX_AGE", 1))
    tracker.update(make_detections([RIGHT]))
    for _ in range(2):
        tracker.update(make_detections([UP]))
    assert tracker.state_dict()["votes"][:, 0].tolist() == [1]
