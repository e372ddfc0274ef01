import numpy as np
import pytest
from random_sequences import random_sequence, sequence_of

from ictrack.evaluation.metrics import AssociationCounts, count_sequence
from ictrack.evaluation.metrics.association.counts import ASSOCIATION_METRICS

# One object in four frames: with one identity, with two, and never found.
SEQUENCES = [sequence_of(*[[track]] * 4) for track in (0, None)]
SEQUENCES.insert(1, sequence_of([0], [0], [1], [1]))


def counts_of(sequences):
    counts = AssociationCounts(len(sequences))
    for video, sequence in enumerate(sequences):
        counts.add(video, count_sequence(sequence))
    return counts


def test_scores_by_hand():
    scores = counts_of(SEQUENCES).scores(np.array([1, 1, 0]))
    # Eight detections, one switch.
    assert scores["clear"]["MOTA"] == pytest.approx((8 - 1) / 8)
    assert (scores["clear"]["IDSW"], scores["clear"]["CLR_TP"]) == (1, 8)
    # The second object keeps one of its identities for two frames.
    assert scores["identity"]["IDF1"] == pytest.approx(6 / 8) and scores["identity"]["IDTP"] == 6
    # A(c) is 1 for four detections and 2 / 4 for four others.
    assert scores["hota"]["AssA"] == pytest.approx(0.75) and scores["hota"]["DetA"] == pytest.approx(1)
    assert scores["hota"]["HOTA"] == pytest.approx(0.75**0.5)


def test_a_draw_is_a_data_set_of_its_own():
    drawn = counts_of(SEQUENCES).resample(np.array([0, 2, 1]))
    assert drawn == counts_of([SEQUENCES[1], SEQUENCES[1], SEQUENCES[2]]).resample(np.ones(3))
    assert drawn["hota.HOTA"] == counts_of(SEQUENCES).scores(np.array([0, 2, 1]))["hota"]["HOTA"]


def test_parts_of_a_video_add_up():
    counts = AssociationCounts(1, ("identity",))
    for sequence in SEQUENCES:
        counts.add(0, count_sequence(sequence, ("identity",)))
    assert counts.by_video["identity"].tolist() == [[6, 6, 2]]
    assert counts.scores() == {"identity": counts_of(SEQUENCES).scores()["identity"]}


def test_results_by_category():
    rng = np.random.default_rng(0)
    sequences = [random_sequence(rng) for _ in range(6)]
    counts = AssociationCounts(3, categories=("cat", "dog"))
    for index, sequence in enumerate(sequences):
        counts.add(index // 2, count_sequence(sequence), index % 2)
    results = counts.results()
    assert list(results) == list(ASSOCIATION_METRICS)
    dogs = counts_of(sequences[1::2]).scores()
    for name, result in results.items():
        assert result.total == pytest.approx(counts_of(sequences).scores()[name])
        assert result.per_category["dog"] == pytest.approx(dogs[name])
    averaged, (cat, dog) = results["identity"].class_averaged, results["identity"].per_category.values()
    assert averaged["IDF1"] == pytest.approx((cat["IDF1"] + dog["IDF1"]) / 2)
    assert averaged["IDTP"] == cat["IDTP"] + dog["IDTP"]
    assert np.mean(results["hota"].curves["HOTA"]) == pytest.approx(results["hota"].total["HOTA"])
    assert results["clear"].curves == {}


def test_no_category_and_no_video():
    result = AssociationCounts(0, ("identity",), ()).results()["identity"]
    assert (result.total["IDF1"], result.class_averaged["IDF1"], result.per_category) == (0, 0, {})
