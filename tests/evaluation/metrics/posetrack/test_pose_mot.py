"""Held against py-motmetrics 1.4.0, whose events poseval counts."""

from itertools import permutations

import motmetrics
import numpy as np
import pytest
from pose_scene import gt_sequence, person, pred_sequence, random_frames

from ictrack.evaluation.metrics.posetrack.pairs import pair_people
from ictrack.evaluation.metrics.posetrack.pose_mot import COUNTS, assign, track_joints

NUM_JOINTS = 15


def counts_of(gt, pred, frames=None):
    pairs = pair_people(gt_sequence(gt), pred_sequence(pred))
    frames = np.ones(len(gt), dtype=bool) if frames is None else frames
    return dict(zip(COUNTS, track_joints(pairs, frames).counts(frames).T))


def motmetrics_counts(gt, pred):
    """COUNTS of py-motmetrics' events, an accumulator a joint."""
    pairs = pair_people(gt_sequence(gt), pred_sequence(pred))
    counts = []
    for joint in range(NUM_JOINTS):
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for t in range(len(gt)):
            rows = np.flatnonzero((pairs.gt.frames == t) & pairs.gt_present[:, joint])
            columns = np.flatnonzero((pairs.pred.frames == t) & pairs.pred_present[:, joint])
            distance = np.full((len(rows), len(columns)), np.nan)
            for pair in np.flatnonzero((pairs.frame == t) & pairs.is_match[:, joint]):
                row, column = pairs.gt_index[pair], pairs.pred_index[pair]
                distance[rows == row, columns == column] = pairs.distance[pair, joint]
            accumulator.update(pairs.gt.track_ids[rows], pairs.pred.track_ids[columns], distance)
        events = accumulator.events
        number = events.Type.value_counts()
        matches, switches, misses = (number.get(name, 0) for name in ("MATCH", "SWITCH", "MISS"))
        distance_of = events.groupby("Type").D.sum()
        counts.append(
            [
                matches + switches + misses,
                misses,
                number.get("FP", 0),
                switches,
                matches,
                events.D.sum(),
                distance_of.get("MATCH", 0) + distance_of.get("SWITCH", 0),
                distance_of.get("RAW", 0),
            ]
        )
    return dict(zip(COUNTS, np.array(counts, dtype=float).T))


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_motmetrics(seed):
    gt, pred = random_frames(np.random.default_rng(seed), num_frames=15)
    ours, theirs = counts_of(gt, pred), motmetrics_counts(gt, pred)
    for name in COUNTS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0, atol=1e-9, err_msg=name)
    # The scenes have what is hard: switches, and distances that are counted a third time and more.
    assert ours["switches"].sum() > 30
    assert (ours["D_all_events"] - ours["D_raw"] - ours["D_match_and_switch"]).sum() > 1


def test_a_track_is_kept_though_another_is_nearer():
    gt = [[person(0, 100.0)], [person(0, 100.0)]]
    pred = [[person(7, 100.0)], [person(7, 112.0), person(8, 101.0)]]
    counts = counts_of(gt, pred)
    assert (counts["switches"] == 0).all() and (counts["false_positives"] == 1).all()
    np.testing.assert_allclose(counts["D_match_and_switch"], 12 / 30)


def test_a_switch_counts_however_long_ago_the_last_match_was():
    gt = [[person(0, 100.0)]] * 5
    pred = [[person(7, 100.0)], [], [], [], [person(8, 100.0)]]
    counts = counts_of(gt, pred)
    assert (counts["switches"] == 1).all() and (counts["misses"] == 3).all() and (counts["matches"] == 1).all()


def test_the_first_of_two_people_last_matched_to_a_track_keeps_it():
    gt = [[person(0, 100.0)], [person(1, 200.0)], [person(1, 300.0), person(0, 301.0)]]
    pred = [[person(7, 100.0)], [person(7, 200.0)], [person(7, 302.0), person(8, 302.0)]]
    counts = counts_of(gt, pred)
    assert (counts["matches"] == 3).all() and (counts["switches"] == 1).all()
    np.testing.assert_allclose(counts["D_match_and_switch"], 2 / 30 + 1 / 30)


def test_most_pairs_come_before_the_least_distance():
    # The first person is nearest to the track which alone the second one reaches.
    gt = [[person(0, 100.0), person(1, 114.0)]]
    pred = [[person(7, 101.0), person(8, 88.0)]]
    counts = counts_of(gt, pred)
    assert (counts["matches"] == 2).all()
    np.testing.assert_allclose(counts["D_match_and_switch"], (12 + 13) / 30)


def test_frames_that_are_left_out():
    gt = [[person(0, 100.0)]] * 3
    pred = [[person(7, 100.0)], [person(8, 100.0)], [person(7, 100.0)]]
    counts = counts_of(gt, pred, np.array([True, False, True]))
    assert (counts["switches"] == 0).all() and (counts["objects"] == 2).all()


def test_dummy_frames():
    frames = np.array([True])
    pairs = pair_people(gt_sequence([[person(0, 100.0)]]), pred_sequence([[person(7, 100.0)]]))
    counts = dict(zip(COUNTS, track_joints(pairs, frames).counts(frames, num_dummy_frames=2).T))
    assert (counts["objects"] == 3).all() and (counts["misses"] == 2).all() and (counts["false_positives"] == 2).all()


def test_nobody():
    counts = counts_of([[], []], [[], []])
    assert all((values == 0).all() for values in counts.values())


@pytest.mark.parametrize("seed", range(30))
def test_assignment_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    size = 4
    in_reach = rng.random((size, size)) < 0.5
    distance = rng.uniform(0, 0.5, (size, size))
    rows, columns = np.nonzero(in_reach)
    chosen = assign(rows * 3, columns * 2, distance[rows, columns])
    assert len(set(rows[chosen])) == len(set(columns[chosen])) == len(chosen)
    best = min(
        (-in_reach[range(size), order].sum(), distance[range(size), order][in_reach[range(size), order]].sum())
        for order in map(list, permutations(range(size)))
    )
    assert -len(chosen) == best[0]
    assert distance[rows[chosen], columns[chosen]].sum() == pytest.approx(best[1], abs=1e-12)
