import numpy as np
import pytest
import trackeval
from random_sequences import compare_with_trackeval, sequence_of

from ictrack.evaluation.metrics import TrackedSequence, clear_counts, clear_scores


def test_random_sequences_equal_trackeval():
    metric = trackeval.metrics.CLEAR({"PRINT_CONFIG": False})
    together = compare_with_trackeval("clear", metric)
    assert together["IDSW"] > 20
    assert together["Frag"] > 20


def test_two_objects_that_swap_identities():
    scores = clear_scores(clear_counts(sequence_of([0, 1], [0, 1], [0, 1], [1, 0])))
    assert (scores["IDSW"], scores["MOTA"], scores["MODA"]) == (2, 0.75, 1.0)
    assert scores["MOTAL"] == pytest.approx(1 - np.log10(2) / 8)


def test_an_object_that_is_lost_and_found_under_another_identity():
    scores = clear_scores(clear_counts(sequence_of([0], [None], [1])))
    assert (scores["IDSW"], scores["CLR_FN"], scores["CLR_TP"], scores["CLR_FP"]) == (1, 1, 2, 0)
    assert (scores["MT"], scores["PT"], scores["ML"]) == (0, 1, 0)


def test_a_frame_without_any_detection_does_not_interrupt_a_track():
    assert clear_counts(sequence_of([0], [None], [0]))["Frag"] == 0
    # Here the second object's detection makes it a frame of both.
    assert clear_counts(sequence_of([0, 1], [None, 1], [0, 1]))["Frag"] == 1


def test_the_pair_of_the_frame_before_goes_on_although_another_fits_better():
    ids = [np.arange(1)], [np.arange(2)]
    similarity = [np.array([[0.9, 0.1]]), np.array([[0.5, 0.9]])]
    counts = clear_counts(TrackedSequence(ids[0] * 2, ids[1] * 2, similarity, 1, 2))
    assert counts["IDSW"] == 0
    assert counts["MOTP_sum"] == pytest.approx(1.4)


def test_shares_of_frames_at_their_limits():
    # 4 of 5 frames is not more than 80 %; 1 of 5 is 20 %.
    assert clear_counts(sequence_of([0], [0], [0], [0], [None]))["MT"] == 0
    assert clear_counts(sequence_of([0], [None], [None], [None], [None]))["PT"] == 1
    assert clear_counts(sequence_of([0], *[[None]] * 5))["ML"] == 1


def test_frames_are_counted_where_there_are_both():
    counts = clear_counts(sequence_of([0], [None]))
    assert counts["CLR_Frames"] == 2
    assert clear_counts(sequence_of([None], [None]))["CLR_Frames"] == 0


def test_nothing_at_all():
    sequence = TrackedSequence([np.arange(0)] * 3, [np.arange(0)] * 3, [np.zeros((0, 0))] * 3, 0, 0)
    assert set(clear_scores(clear_counts(sequence)).values()) == {0.0}
