"""Tracked sequences for tests of association metrics, and the form in which TrackEval takes them."""

from __future__ import annotations

import numpy as np

from ictrack.evaluation.metrics import TrackedSequence


def random_sequence(rng):
    """Up to 6 objects and 8 tracks that come and go, some similarities at or just below the threshold 0.5."""
    num_truth, num_tracks, length = rng.integers(0, 7), rng.integers(0, 9), rng.integers(1, 12)
    truth_ids = [np.flatnonzero(rng.random(num_truth) < 0.7) for _ in range(length)]
    track_ids = [rng.permutation(np.flatnonzero(rng.random(num_tracks) < 0.6)) for _ in range(length)]
    # Every identity is in some frame, as the metrics assume.
    truth_ids[0], track_ids[-1] = np.arange(num_truth), np.arange(num_tracks)
    affinity = rng.random((num_truth, num_tracks)) ** 2
    sparsity = rng.choice([0.0, 0.5, 0.8])
    similarity = []
    for truth, tracks in zip(truth_ids, track_ids):
        noise = rng.random((len(truth), len(tracks)))
        values = 0.6 * affinity[np.ix_(truth, tracks)] + 0.6 * noise
        # The threshold itself, and values an eps below it, must come out the same.
        values[noise > 0.9] = rng.choice([0.5, np.nextafter(0.5, 0), 0.49999])
        values[rng.random(values.shape) < sparsity] = 0.0
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


def compare_with_trackeval(metric, count, figures, *, num_sequences=200, seed=3):
    """Counts of random sequences, one by one and in groups of them as classes, against a metric of TrackEval.

    Returns:
        the counts of all sequences together.
    """
    from ictrack.evaluation.metrics import sum_counts

    rng = np.random.default_rng(seed)
    ours, theirs = [], []
    for i in range(num_sequences):
        sequence = random_sequence(rng)
        ours.append(count(sequence))
        theirs.append(metric.eval_sequence(trackeval_data(sequence)))
        # TrackEval's shares of a sequence without detections are set by hand; combined ones follow from the counts.
        _assert_equal(figures(ours[-1]), metric.combine_sequences({"one": theirs[-1]}), i)
    together = sum_counts(ours)
    _assert_equal(figures(together), metric.combine_sequences(dict(enumerate(theirs))), "sequences")
    by_class = {c: metric.combine_sequences(dict(enumerate(theirs[c::4]))) for c in range(4)}
    _assert_equal(figures(together), metric.combine_classes_det_averaged(by_class), "classes")
    return together


def _assert_equal(ours, reference, what):
    for key, value in ours.items():
        assert abs(value - np.mean(reference[key])) < 1e-9, (what, key)
    missing = {key for key, value in reference.items() if np.isscalar(value)} - set(ours) - {"MOTP_sum"}
    assert not missing, missing
