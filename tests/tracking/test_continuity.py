"""Tracklets that are certain by continuity, and the score from which most detections are."""

import numpy as np
import pytest

from ictrack.tracking.continuity import certain_links, label_tracklets, meetings, most_certain_score


def boxes(*lefts):
    """Boxes of 10 x 10 pixels at the given x."""
    return np.array([[x, 0.0, x + 10.0, 10.0] for x in lefts]).reshape(-1, 4)


@pytest.mark.parametrize(
    ("overlaps", "links"),
    [
        ([[0.7, 0.0], [0.1, 0.6]], [0, 1]),
        ([[0.7, 0.0], [0.3, 0.6]], [-1, -1]),  # the first column might be either row, which shares the second's row
        ([[0.4]], [-1]),  # moved too far
        ([[0.7, 0.6]], [-1, -1]),  # two detections of one object
        (np.zeros((0, 2)), [-1, -1]),
        (np.zeros((2, 0)), []),
    ],
)
def test_links_are_without_doubt(overlaps, links):
    assert certain_links(np.array(overlaps)).tolist() == links


def test_a_tracklet_ends_where_objects_touch():
    """Two objects that meet at x = 23 and part again, and one that is alone, in three frames of a single detection."""
    frames = [boxes(0, 30), boxes(1, 29), boxes(20, 23), boxes(0, 30), boxes(1, 29), boxes(100), boxes(101)]
    labels = label_tracklets(frames)
    assert [label.tolist() for label in labels] == [[0, 1], [0, 1], [-1, -1], [2, 3], [2, 3], [4], [4]]
    met = meetings(labels)
    assert met.sum() == 4 and met[0, 1] and met[1, 0] and met[2, 3] and met[3, 2]


def test_short_tracklets_and_empty_frames_have_no_label():
    labels = label_tracklets([boxes(0), boxes(), boxes(0), boxes(1), boxes(2)], min_length=3)
    assert [label.tolist() for label in labels] == [[-1], [], [0], [0], [0]]
    assert label_tracklets([boxes()])[0].shape == (0,) and meetings([]).shape == (0, 0)


def test_the_score_is_that_of_the_most_certain_detections():
    """An object of score 0.6 in ten frames, a duplicate of 0.3 beside it, and clutter of 0.2 elsewhere.

    Up to 0.3 the duplicate makes it doubtful, and above 0.6 it is gone: 0.32 and 0.58 are the first and the last.
    """
    frames = [boxes(0, 2, 100 + 20 * index) for index in range(10)]
    assert most_certain_score([frames], [[np.array([0.6, 0.3, 0.2])] * 10]) == pytest.approx(0.45)


def test_clutter_that_is_in_nobodys_way_is_left_out():
    frames = [boxes(0, 100 + 20 * index) for index in range(10)]
    assert most_certain_score([frames], [[np.array([0.7, 0.2])] * 10]) == pytest.approx(0.34)


def test_the_score_of_nothing():
    assert most_certain_score([[boxes()] * 5], [[np.zeros(0)] * 5]) == 0
    assert most_certain_score([], []) == 0
