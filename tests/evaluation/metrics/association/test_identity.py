import numpy as np
import trackeval
from random_sequences import compare_with_trackeval, sequence_of

from ictrack.evaluation.metrics import TrackedSequence, identity_counts, identity_scores


def test_random_sequences_equal_trackeval():
    metric = trackeval.metrics.Identity({"PRINT_CONFIG": False})
    assert compare_with_trackeval("identity", metric)["IDTP"] > 100


def test_two_objects_that_swap_identities():
    assert identity_scores(identity_counts(sequence_of([0, 1], [0, 1], [0, 1], [1, 0])))["IDF1"] == 0.75


def test_an_object_that_is_lost_and_found_under_another_identity():
    counts = identity_counts(sequence_of([0], [None], [1]))
    assert counts == {"IDTP": 1, "IDFN": 2, "IDFP": 1}


def test_a_similarity_just_below_the_threshold_is_no_match():
    ids = [np.arange(1)] * 2
    similarity = [np.array([[value]]) for value in (0.5, np.nextafter(0.5, 0))]
    assert identity_counts(TrackedSequence(ids, ids, similarity, 1, 1))["IDTP"] == 1


def test_nothing_at_all():
    sequence = TrackedSequence([np.arange(0)] * 3, [np.arange(0)] * 3, [np.zeros((0, 0))] * 3, 0, 0)
    assert set(identity_scores(identity_counts(sequence)).values()) == {0.0}
