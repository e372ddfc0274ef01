import numpy as np
import pytest

from ictrack.evaluation.metrics.association.combine import ASSOCIATION_METRICS
from ictrack.evaluation.metrics.association.tracked_sequence import TrackedSequence
from ictrack.evaluation.reports.association import AssociationFigures
from ictrack.evaluation.reports.association_table import association_rows


def sequence(found):
    """One object in four frames, seen perfectly as track ``found[t]``, or not at all where that is None."""
    tracks = sorted({track for track in found if track is not None})
    return TrackedSequence(
        truth_ids=[np.array([0])] * len(found),
        track_ids=[np.array([] if track is None else [tracks.index(track)], dtype=np.int64) for track in found],
        similarity=[np.ones((1, 0 if track is None else 1)) for track in found],
        num_truth=1,
        num_tracks=len(tracks),
    )


SOURCES = [(5, 5, 5, 5), (1, 1, 2, 2), (None, None, None, None)]


def test_figures_by_hand():
    figures = AssociationFigures(SOURCES, sequence, ASSOCIATION_METRICS).figures(np.array([1, 1, 0]))
    # Eight detections, one switch.
    assert figures["clear"]["MOTA"] == pytest.approx(100 * (8 - 1) / 8)
    assert (figures["clear"]["IDSW"], figures["clear"]["CLR_TP"]) == (1, 8)
    # The second object keeps one of its identities for two frames.
    assert figures["identity"]["IDF1"] == pytest.approx(100 * 6 / 8) and figures["identity"]["IDTP"] == 6
    # A(c) is 1 for four detections and 2 / 4 for four others.
    assert figures["hota"]["AssA"] == pytest.approx(75) and figures["hota"]["DetA"] == pytest.approx(100)
    assert figures["hota"]["HOTA"] == pytest.approx(100 * 0.75**0.5)


def test_a_draw_is_a_data_set_of_its_own():
    figures = AssociationFigures(SOURCES, sequence, ASSOCIATION_METRICS)
    repeated = AssociationFigures([SOURCES[1], SOURCES[1], SOURCES[2]], sequence, ASSOCIATION_METRICS)
    assert figures.resample(np.array([0, 2, 1])) == repeated.resample(np.ones(3, dtype=int))


def test_workers_do_not_matter():
    alone = AssociationFigures(SOURCES, sequence, ["clear"])
    shared = AssociationFigures(SOURCES, sequence, ["clear"], workers=2)
    weights = np.array([1, 2, 3])
    assert alone.resample(weights) == shared.resample(weights)
    assert set(alone.figures(weights)) == {"clear"}


def test_rows_with_intervals_and_averages():
    identity = {"IDF1": 0.5, "IDP": 0.25, "IDR": 1.0}
    report = {
        "identity": {**identity, "class_averaged": dict.fromkeys(identity, 0.125)},
        "intervals": {"identity.IDF1": [0.25, 0.75]},
    }
    assert association_rows(report, scale=100) == [
        ["IDF1", "50.00 [25.00, 75.00]", "12.50"],
        ["IDP", "25.00", "12.50"],
        ["IDR", "100.00", "12.50"],
    ]
    assert association_rows({"intervals": {}}, scale=1) == []
