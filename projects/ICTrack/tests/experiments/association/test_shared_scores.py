"""The smallest detection score of all methods, by hand."""

from experiments.association.shared_scores import shared_scores


def test_methods_of_a_skip_share_the_score_that_is_best_for_all_together():
    idf1 = {
        (4, "position", 0.2): 0.30,
        (4, "position", 0.3): 0.40,
        (4, "appearance", 0.2): 0.55,
        (4, "appearance", 0.3): 0.50,
        (8, "position", 0.2): 0.30,
        (8, "position", 0.3): 0.20,
        (16, "position", 0.3): 0.25,
        (16, "position", 0.2): 0.25,
    }
    assert shared_scores(idf1) == {4: 0.3, 8: 0.2, 16: 0.2}
