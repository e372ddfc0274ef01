import numpy as np
import pytest

from ictrack.structures.frame_tracks import FrameTracks


def frame(**changes):
    fields = {"scores": np.ones(2), "classes": np.zeros(2, int), "boxes": np.zeros((2, 4)), "ids": np.array([3, 5])}
    return FrameTracks(7, **{**fields, **changes})


def test_length():
    assert len(frame()) == 2


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"classes": np.zeros(1, int)}, "frame 7: 2 scores, but 1 classes"),
        ({"boxes": np.zeros((2, 5))}, r"boxes of shape \(2, 5\)"),
        ({"boxes": np.full((2, 4), np.nan)}, "boxes that are NaN"),
        ({"ids": np.array([4, 4])}, "an identity is twice"),
        ({"rles": []}, "2 scores, but 0 rles"),
        ({"keypoints": np.zeros((2, 17))}, "keypoints of shape"),
    ],
)
def test_inconsistent_fields_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        frame(**changes)
