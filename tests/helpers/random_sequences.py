"""Tracked sequences for tests of association metrics, and the form in which TrackEval takes them."""

from __future__ import annotations

import numpy as np

from ictrack.evaluation.metrics import AssociationCounts, TrackedSequence, count_sequence


def random_sequence(rng):
    """Up to 6 objects and 8 tracks that come and go, some similarities at or just below the threshold 0.5."""
    num_gt, num_pred, length = rng.integers(0, 7), rng.integers(0, 9), rng.integers(1, 12)
    gt_ids = [np.flatnonzero(rng.random(num_gt) < 0.7) for _ in range(length)]
    pred_ids = [rng.permutation(np.flatnonzero(rng.random(num_pred) < 0.6)) for _ in range(length)]
    # Every identity is in some frame, as the metrics assume.
    gt_ids[0], pred_ids[-1] = np.arange(num_gt), np.arange(num_pred)
    affinity = rng.random((num_gt, num_pred)) ** 2
    sparsity = rng.choice([0.0, 0.5, 0.8])
    similarity = []
    for truth, tracks in zip(gt_ids, pred_ids):
        noise = rng.random((len(truth), len(tracks)))
        values = 0.6 * affinity[np.ix_(truth, tracks)] + 0.6 * noise
        # The threshold itself, and values an eps below it, must come out the same.
        values[noise > 0.9] = rng.choice([0.5, np.nextafter(0.5, 0), 0.49999])
        values[rng.random(values.shape) < sparsity] = 0.0
        similarity.append(np.minimum(values, 1.0))
    return TrackedSequence(gt_ids, pred_ids, similarity, int(num_gt), int(num_pred))


def trackeval_data(sequence):
    return {
        "num_timesteps": len(sequence.gt_ids),
        "num_gt_ids": sequence.num_gt,
        "num_tracker_ids": sequence.num_pred,
        "num_gt_dets": sum(map(len, sequence.gt_ids)),
        "num_tracker_dets": sum(map(len, sequence.pred_ids)),
        "gt_ids": sequence.gt_ids,
        "tracker_ids": sequence.pred_ids,
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


def compare_with_trackeval(name, metric, *, num_sequences=200, seed=3):
    """Scores of random sequences, one by one and in groups of them as classes, against a metric of TrackEval.

    Returns:
        the scores of all sequences together.
    """
    rng = np.random.default_rng(seed)
    counts, theirs = AssociationCounts(num_sequences, (name,)), []
    for i in range(num_sequences):
        sequence = random_sequence(rng)
        counts.add(i, count_sequence(sequence, (name,)))
        theirs.append(metric.eval_sequence(trackeval_data(sequence)))
        # TrackEval's shares of a sequence without detections are set by hand; combined ones follow from the counts.
        alone = counts.scores(np.arange(num_sequences) == i)[name]
        _assert_equal(alone, metric.combine_sequences({"one": theirs[-1]}), i)
    together = counts.scores()[name]
    _assert_equal(together, metric.combine_sequences(dict(enumerate(theirs))), "sequences")
    by_class = {c: metric.combine_sequences(dict(enumerate(theirs[c::4]))) for c in range(4)}
    _assert_equal(together, metric.combine_classes_det_averaged(by_class), "classes")
    return together


def _assert_equal(ours, reference, what):
    for key, value in ours.items():
        assert abs(value - np.mean(reference[key])) < 1e-9, (what, key)
    missing = {key for key, value in reference.items() if np.isscalar(value)} - set(ours) - {"MOTP_sum"}
    assert not missing, missing
