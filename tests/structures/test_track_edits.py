"""Edits of identities, by hand: who has which number after them, and which detections they say are the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from track_cases import assert_equal, videos

from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_edits import Detection, TrackEditError, join, split, swap

FIELDS = ("scores", "classes", "boxes", "rles", "keypoints", "file_name", "time")


def detection(frame, place):
    """Detection in a frame, whose box says its place among the frame's detections."""
    return Detection(frame, (float(place), float(frame), place + 1.0, frame + 1.0))


def video_of(*ids_by_frame):
    """Frames 0, 1, ... with these identities."""
    return [
        FrameTracks(
            frame,
            np.ones(len(ids)),
            np.zeros(len(ids), np.int64),
            np.array([detection(frame, place).box for place in range(len(ids))]).reshape(-1, 4),
            np.array(ids, np.int64),
        )
        for frame, ids in enumerate(ids_by_frame)
    ]


def ids_of(frames):
    return [frame.ids.tolist() for frame in frames]


def test_a_swap_exchanges_two_identities_from_a_frame_on():
    frames, edit = swap(video_of([3, 5], [5, 3, 7], [], [7, 3, 5], [5]), 3, 5, 2)
    assert ids_of(frames) == [[3, 5], [5, 3, 7], [], [7, 5, 3], [3]]
    assert (edit.name, edit.ids, edit.start) == ("swap", (3, 5), 2)
    assert edit.same == ((detection(1, 1), detection(3, 2)), (detection(1, 0), detection(3, 1)))
    assert edit.different == ((detection(1, 1), detection(3, 1)), (detection(1, 0), detection(3, 2)))


def test_a_swap_of_tracks_that_end_or_begin_says_only_what_is_there():
    frames, edit = swap(video_of([3], [5]), 3, 5, 1)
    assert ids_of(frames) == [[3], [3]]
    assert edit.same == ((detection(0, 0), detection(1, 0)),) and edit.different == ()


@pytest.mark.parametrize("order", [(3, 7), (7, 3)])
def test_a_join_has_the_number_of_the_first_named(order):
    frames, edit = join(video_of([3, 1], [3], [1], [7, 1]), *order)
    first = order[0]
    assert ids_of(frames) == [[first, 1], [first], [1], [first, 1]]
    assert (edit.name, edit.ids, edit.start) == ("join", order, None)
    assert edit.same == ((detection(1, 0), detection(3, 0)),) and edit.different == ()


def test_a_join_of_tracks_in_turn_has_a_pair_at_each_change():
    _, edit = join(video_of([3], [7], [7], [3]), 3, 7)
    assert edit.same == ((detection(0, 0), detection(1, 0)), (detection(2, 0), detection(3, 0)))


def test_a_split_gives_the_number_after_the_largest():
    frames, edit = split(video_of([3, 8], [3], [], [3, 8]), 3, 2)
    assert ids_of(frames) == [[3, 8], [3], [], [9, 8]]
    assert (edit.name, edit.ids, edit.start) == ("split", (3, 9), 2)
    assert edit.same == () and edit.different == ((detection(1, 0), detection(3, 0)),)


@pytest.mark.parametrize(
    ("edit", "arguments", "message"),
    [
        (swap, (3, 4, 0), "identity 4 is in no frame"),
        (swap, (3, 3, 0), "identity 3 is named twice"),
        (swap, (3, 5, 9), "neither identity 3 nor 5 is there from frame 9 on"),
        (join, (3, 4), "identity 4 is in no frame"),
        (join, (5, 5), "identity 5 is named twice"),
        (join, (3, 5), "identities 3 and 5 are both in frame 1: they are two objects"),
        (split, (4, 1), "identity 4 is in no frame"),
        (split, (3, 0), "identity 3 is not there before frame 0"),
        (split, (3, 2), "identity 3 is not there from frame 2 on"),
    ],
)
def test_what_the_tracks_do_not_allow(edit, arguments, message):
    with pytest.raises(TrackEditError, match=f"^{message}"):
        edit(video_of([3], [3, 5], [5]), *arguments)


@given(videos(), st.data())
def test_two_swaps_are_none_and_nothing_but_identities_changes(video, data):
    _, frames = video
    known = sorted({track_id for frame in frames for track_id in frame.ids.tolist()})
    if len(known) < 2:
        return
    first, second = data.draw(st.permutations(known))[:2]
    # From the last frame where both have been seen before, so that neither number is gone after the first swap.
    seen = {track_id: min(f.index for f in frames if track_id in f.ids) for track_id in (first, second)}
    start = data.draw(st.integers(max(seen.values()) + 1, len(frames)))
    if not any(track_id in frame.ids for frame in frames[start:] for track_id in (first, second)):
        return
    once, _ = swap(frames, first, second, start)
    twice, _ = swap(once, first, second, start)
    for changed, again, frame in zip(once, twice, frames):
        assert_equal(changed, frame, "index", *FIELDS)
        assert_equal(again, frame, "index", "ids", *FIELDS)


@given(videos(), st.data())
def test_a_join_undoes_a_split(video, data):
    _, frames = video
    track_id = data.draw(st.integers(0, 6))
    present = [frame.index for frame in frames if track_id in frame.ids]
    if len(present) < 2:
        return
    start = data.draw(st.integers(present[0] + 1, present[-1]))
    apart, edit = split(frames, track_id, start)
    whole, _ = join(apart, *edit.ids)
    assert ids_of(whole) == ids_of(frames)
