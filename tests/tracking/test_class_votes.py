"""Votes on the classes of tracks: by the sum of scores, kept and restored."""

import numpy as np

from ictrack.tracking.class_votes import ClassVotes


def vote(votes, identity, category, score):
    return int(votes.vote(np.array([identity]), np.array([category]), np.array([score]))[0])


def test_a_sure_vote_outweighs_two_doubtful_ones():
    votes = ClassVotes()
    assert [vote(votes, 7, category, score) for category, score in ((1, 0.3), (1, 0.3), (2, 0.9), (1, 0.2))] == [
        1,
        1,
        2,
        2,
    ]
    assert vote(votes, 7, 1, 0.2) == 1


def test_tracks_vote_apart_and_equals_keep_the_first():
    votes = ClassVotes()
    elected = votes.vote(np.array([3, 5]), np.array([1, 2]), np.array([0.5, 0.5]))
    assert elected.tolist() == [1, 2]
    assert vote(votes, 3, 2, 0.5) == 1


def test_a_restored_state_votes_on_and_forgotten_tracks_begin_anew():
    votes, restored = ClassVotes(), ClassVotes()
    for category, score in ((4, 0.4), (5, 0.7)):
        vote(votes, 9, category, score)
    restored.load(votes.state())
    assert restored.state().tolist() == votes.state().tolist() == [[9, 4, 0.4], [9, 5, 0.7]]
    assert vote(restored, 9, 4, 0.4) == 4
    votes.keep(np.array([1]))
    assert vote(votes, 9, 4, 0.1) == 4
