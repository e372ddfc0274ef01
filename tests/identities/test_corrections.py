import numpy as np
import pytest

from ictrack.identities import CorrectionError, apply_corrections, certain_tracklets
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_edits import Detection, Edit


def box(x):
    return (float(x), 0.0, float(x + 10), 10.0)


def frame(index, *lefts):
    boxes = np.array([box(x) for x in lefts])
    return FrameTracks(index, np.ones(len(lefts)), np.zeros(len(lefts), np.int64), boxes.reshape(-1, 4))


# Two objects, one region where they touch, and the two again.
FRAMES = [frame(0, 0, 40), frame(1, 2, 38), frame(2), frame(3, 4, 36), frame(4, 6, 34)]


def detection(index, x):
    return Detection(index, box(x))


def edit(same=(), different=()):
    return Edit("swap", (0, 1), 3, tuple(same), tuple(different))


def correct(*edits):
    return apply_corrections(certain_tracklets(FRAMES, 1), FRAMES, edits)


def test_one_object_before_and_after():
    tracklets, different, unknown = correct(edit([(detection(1, 2), detection(3, 36))]))
    assert [x.frames.tolist() for x in tracklets] == [[0, 1, 3, 4], [0, 1], [3, 4]]
    assert tracklets[0].rows.tolist() == [0, 0, 1, 1]
    assert different == [] and unknown == 0


def test_chains_of_corrections_join_all():
    frames = [frame(2 * t, 40 * t) for t in range(3)]
    tracklets = certain_tracklets(frames, 1)
    pairs = [(detection(2 * t, 40 * t), detection(2 * t + 2, 40 * t + 40)) for t in range(2)]
    joined, _, _ = apply_corrections(tracklets, frames, [edit(pairs[1:]), edit(pairs[:1])])
    assert [x.frames.tolist() for x in joined] == [[0, 2, 4]]


def test_different_objects_are_pairs_of_the_new_tracklets():
    pair = (detection(1, 2), detection(3, 4))
    _, different, _ = correct(edit([(detection(1, 2), detection(3, 36))], [pair]))
    assert different == [(0, 2)]


def test_a_box_that_no_tracklet_has_is_counted():
    assert correct(edit([(detection(1, 20), detection(3, 4))], [(detection(2, 3), detection(9, 4))]))[2] == 2


def test_contradictions_are_errors():
    same = (detection(1, 2), detection(3, 36))
    with pytest.raises(CorrectionError, match="frames 1 and 3 are corrected to be one, and to be two"):
        correct(edit([same], [same]))
    with pytest.raises(CorrectionError, match="two objects of frame 0"):
        correct(edit([(detection(1, 2), detection(1, 38))]))
