"""Held against TrackEval: its numbers for the golden cases, and its metric classes on random similarities."""

from pathlib import Path

import numpy as np
import pytest
import trackeval

from ictrack.evaluation.metrics import (
    TrackedSequence,
    add_ratios,
    clear_counts,
    evaluate_association,
    identity_counts,
    sum_counts,
)
from ictrack.structures.youtube_vis_json import read_json

GOLDEN = Path(__file__).parents[2] / "data" / "golden_vis"
# TrackEval crashes on these two.
CASES = sorted({path.name for path in GOLDEN.iterdir()} - {"vis_tiny_quirkshort_s0", "vis_tiny_quirksize_s0"})
TRACKEVAL_NAMES = {"TP": "CLR_TP", "FN": "CLR_FN", "FP": "CLR_FP"}
COUNTS = ("TP", "FN", "FP", "IDSW", "MT", "PT", "ML", "Frag", "IDTP", "IDFN", "IDFP")
FIGURES = (*COUNTS, "MOTA", "MOTP", "IDF1", "IDP", "IDR")


def assert_equal(ours, reference):
    for key in FIGURES:
        assert ours[key] == pytest.approx(reference[TRACKEVAL_NAMES.get(key, key)], abs=1e-9, rel=0), key


@pytest.mark.parametrize("case", CASES)
def test_trackeval_numbers(case):
    ground_truth, results, expected = (
        read_json(next((GOLDEN / case).glob(f"{name}.json*"))) for name in ("gt", "pred", "expected")
    )
    association = evaluate_association(ground_truth, results)
    assert_equal(association.total, expected["trackeval"]["cls_comb_det_av"])
    for name, numbers in association.per_category.items():
        assert_equal(numbers, expected["trackeval"][name])


def random_sequence(rng):
    num_truth, num_tracks, length = rng.integers(0, 7), rng.integers(0, 9), rng.integers(1, 12)
    truth_ids = [np.flatnonzero(rng.random(num_truth) < 0.7) for _ in range(length)]
    track_ids = [rng.permutation(np.flatnonzero(rng.random(num_tracks) < 0.6)) for _ in range(length)]
    # Every identity is in some frame, as the metrics assume.
    truth_ids[0], track_ids[-1] = np.arange(num_truth), np.arange(num_tracks)
    affinity = rng.random((num_truth, num_tracks)) ** 2
    similarity = []
    for truth, tracks in zip(truth_ids, track_ids):
        noise = rng.random((len(truth), len(tracks)))
        values = 0.6 * affinity[np.ix_(truth, tracks)] + 0.6 * noise
        # The threshold itself, and values an eps below it, must come out the same.
        values[noise > 0.9] = rng.choice([0.5, np.nextafter(0.5, 0), 0.49999])
        similarity.append(np.minimum(values, 1.0))
    return TrackedSequence(truth_ids, track_ids, similarity, int(num_truth), int(num_tracks))


def trackeval_data(sequence):
    return {
        "num_timesteps": len(sequence.truth_ids),
        "num_gt_ids": sequence.num_truth,
        "num_tracker_ids": sequence.num_tracks,
        "num_gt_dets": sum(map(len, sequence.truth_ids)),
        "num_tracker_dets": sum(map(len, sequence.track_ids)),
        "gt_ids": sequence.truth_ids,
        "tracker_ids": sequence.track_ids,
        "similarity_scores": sequence.similarity,
    }


def test_random_sequences_equal_trackeval():
    rng = np.random.default_rng(3)
    clear = trackeval.metrics.CLEAR({"PRINT_CONFIG": False})
    identity = trackeval.metrics.Identity({"PRINT_CONFIG": False})
    ours, theirs = [], {"clear": {}, "identity": {}}
    for i in range(150):
        sequence = random_sequence(rng)
        counts = {**clear_counts(sequence), **identity_counts(sequence)}
        clear_reference = clear.eval_sequence(trackeval_data(sequence))
        identity_reference = identity.eval_sequence(trackeval_data(sequence))
        reference = {**clear_reference, **identity_reference}
        for key in COUNTS:
            assert counts[key] == pytest.approx(reference[TRACKEVAL_NAMES.get(key, key)], abs=1e-9), (i, key)
        ours.append(counts)
        theirs["clear"][i], theirs["identity"][i] = clear_reference, identity_reference
    together = add_ratios(sum_counts(ours))
    assert together["IDSW"] > 20
    assert together["Frag"] > 20
    assert_equal(
        together, {**clear.combine_sequences(theirs["clear"]), **identity.combine_sequences(theirs["identity"])}
    )


def sequence_of(*frames):
    """Frames as lists of track identities, each perfectly on ground truth 0, 1, ... or None where it is missed."""
    truth, tracks, similarity = [], [], []
    for frame in frames:
        found = [track for track in frame if track is not None]
        truth.append(np.arange(len(frame)))
        tracks.append(np.array(found, dtype=np.int64))
        same = [float(track == other) for track in frame for other in found]
        similarity.append(np.reshape(same, (len(frame), len(found))))
    everyone = {track for frame in frames for track in frame if track is not None}
    return TrackedSequence(truth, tracks, similarity, max(map(len, frames)), max(everyone, default=-1) + 1)


def test_two_objects_that_swap_identities():
    sequence = sequence_of([0, 1], [0, 1], [0, 1], [1, 0])
    counts = add_ratios(sum_counts([clear_counts(sequence), identity_counts(sequence)]))
    assert (counts["IDSW"], counts["MOTA"], counts["IDF1"]) == (2, 0.75, 0.75)


def test_an_object_that_is_lost_and_found_under_another_identity():
    sequence = sequence_of([0], [None], [1])
    counts = add_ratios(sum_counts([clear_counts(sequence), identity_counts(sequence)]))
    assert (counts["IDSW"], counts["FN"], counts["IDTP"], counts["IDFP"]) == (1, 1, 1, 1)


def test_nothing_at_all():
    sequence = TrackedSequence([np.arange(0)] * 3, [np.arange(0)] * 3, [np.zeros((0, 0))] * 3, 0, 0)
    counts = add_ratios(sum_counts([clear_counts(sequence), identity_counts(sequence)]))
    assert set(counts.values()) == {0.0}


def test_class_agnostic_association_ignores_categories():
    ground_truth, results = (
        read_json(next((GOLDEN / "vis_medium_std_s0").glob(f"{name}.json*"))) for name in ("gt", "pred")
    )
    agnostic = evaluate_association(ground_truth, results, class_agnostic=True)
    for entry in [*ground_truth["annotations"], *results]:
        entry["category_id"] = ground_truth["categories"][0]["id"]
    ground_truth["categories"] = ground_truth["categories"][:1]
    assert agnostic.total == evaluate_association(ground_truth, results).total
    assert list(agnostic.per_category) == ["object"]
