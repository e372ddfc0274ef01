"""Agreement of identities with what is certain."""

import numpy as np
import pytest

from ictrack.tracking import build_tracker
from ictrack.tracking.replay import certain_agreement, replay
from ictrack.tracking.separation import Clip

A, B = [1.0, 0.0], [0.0, 1.0]
MET = np.array([[False, True, False], [True, False, False], [False, False, False]])


def agreement(labels, ids, met=MET):
    return certain_agreement([np.array(x) for x in labels], [np.array(x) for x in ids], met)


def test_right_identities():
    assert agreement([[0, 1], [0, 1], [2]], [[7, 8], [7, 8], [9]]) == (5, 5)


def test_a_change_of_identity():
    """Tracklet 0 has identity 7 once and 9 twice: (1 * 1 + 2 * 2) / 3."""
    assert agreement([[0], [0], [0]], [[7], [9], [9]]) == (pytest.approx(5 / 3), 3)


def test_one_identity_of_tracklets_that_meet():
    """Two of tracklet 0 and one of tracklet 1: 2 * 2 / 3 and 1 * 1 / 3."""
    assert agreement([[0, 1], [0]], [[7, -1], [7]]) == (2, 3)  # a dropped detection counts 0
    assert agreement([[0], [0], [1]], [[7], [7], [7]]) == (pytest.approx(5 / 3), 3)


def test_what_is_unknown_is_not_judged():
    """Tracklet 2 never meets tracklet 0, and may be the same object; a detection without tracklet is left out."""
    assert agreement([[0], [2], [-1]], [[7], [7], [7]]) == (2, 2)
    assert certain_agreement([], [], np.zeros((0, 0), bool)) == (0, 0)


@pytest.mark.parametrize(("cosine", "agreeing"), [(0.5, 6), (-0.5, 37 / 12)])
def test_a_replay(make_cfg, make_detections, cosine, agreeing):
    """Phases A, B, both and A, B: the second object comes when the first is away, and below its cosine of 0 takes the
    first one's identity. The first one then is a new object: 1 / 4 + 1 / 2 of it and 2 * 2 / 3 of the second agree,
    and in the other phase 1 / 2 of both."""
    both = make_detections([A, B], boxes=[[0.0, 0.0, 5.0, 5.0], [50.0, 0.0, 55.0, 5.0]])
    alone = [make_detections([x]) for x in (A, A, B, B)]
    clip = Clip([*alone, both], [np.array(label) for label in ([0], [0], [1], [1], [0, 1])])
    tracker = build_tracker(make_cfg("EMBEDDING.NEW_OBJECT_COSINE", cosine), 0, 0)
    agreed, total = replay(tracker, clip, stride=2)
    assert (agreed, total) == (pytest.approx(agreeing), 6)
