"""Association of tracks: CLEAR MOT (id switches, MOTA) and Identity (IDF1), for any per-frame similarity.

References: Bernardin and Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics", 2008;
Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking", 2016. The counts equal
those of TrackEval 1.3 (github.com/JonathonLuiten/TrackEval, ``metrics/clear.py`` and ``metrics/identity.py``): every
detection counts whatever its score, and crowds are ground truth like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from .track_iou import TrackMasks, frame_overlaps
from .video_ap import categories_of, read_groups

# A similarity from here on is a match; one that falls short of it by rounding is one in CLEAR, and not in Identity.
MATCH_THRESHOLD = 0.5
_EPS = np.finfo(float).eps
# More than any sum of similarities in a frame: continuing a pair comes before all else.
_CONTINUITY = 1000.0

CLEAR_COUNTS = ("TP", "FN", "FP", "IDSW", "MT", "PT", "ML", "Frag", "MOTP_sum")
IDENTITY_COUNTS = ("IDTP", "IDFN", "IDFP")


@dataclass(frozen=True)
class TrackedSequence:
    """One class of one video: who is in each frame, and how similar they are.

    Attributes:
        truth_ids: per frame (G_t,) indices 0 ... num_truth - 1.
        track_ids: per frame (D_t,) indices 0 ... num_tracks - 1.
        similarity: per frame (G_t, D_t) in [0, 1].
        num_truth: ground-truth tracks that are in some frame.
        num_tracks: predicted tracks that are in some frame.
    """

    truth_ids: Sequence[np.ndarray]
    track_ids: Sequence[np.ndarray]
    similarity: Sequence[np.ndarray]
    num_truth: int
    num_tracks: int


def clear_counts(sequence: TrackedSequence) -> dict[str, float]:
    """CLEAR MOT's counts (``CLEAR_COUNTS``) of one sequence.

    In each frame a one-to-one assignment that first continues the pairs of the previous frame, then maximises the
    similarity. IDSW counts matches to another track than the last one ever matched; MT, PT and ML are ground truths
    matched in more than 80 %, at least 20 %, and fewer of their frames; Frag counts resumed matches.
    """
    counts = dict.fromkeys(CLEAR_COUNTS, 0.0)
    present = np.zeros(sequence.num_truth)
    matched = np.zeros(sequence.num_truth)
    segments = np.zeros(sequence.num_truth)
    last_track = np.full(sequence.num_truth, -1)
    previous_track = np.full(sequence.num_truth, -1)
    for truth, tracks, similarity in zip(sequence.truth_ids, sequence.track_ids, sequence.similarity):
        present[truth] += 1
        if len(truth) == 0 or len(tracks) == 0:
            # Such a frame does not end the memory of the previous one, as in TrackEval.
            counts["FP"] += len(tracks)
            counts["FN"] += len(truth)
            continue
        weight = similarity + _CONTINUITY * (previous_track[truth][:, None] == tracks[None, :])
        weight = np.where(similarity >= MATCH_THRESHOLD - _EPS, weight, 0.0)
        rows, columns = linear_sum_assignment(weight, maximize=True)
        is_match = weight[rows, columns] > _EPS
        rows, columns = rows[is_match], columns[is_match]
        truth_matched, track_matched = truth[rows], tracks[columns]

        counts["IDSW"] += np.count_nonzero(
            (last_track[truth_matched] >= 0) & (last_track[truth_matched] != track_matched)
        )
        counts["TP"] += len(rows)
        counts["FN"] += len(truth) - len(rows)
        counts["FP"] += len(tracks) - len(rows)
        counts["MOTP_sum"] += float(similarity[rows, columns].sum())
        matched[truth_matched] += 1
        segments[truth_matched] += previous_track[truth_matched] < 0
        last_track[truth_matched] = track_matched
        previous_track[:] = -1
        previous_track[truth_matched] = track_matched

    share = np.divide(matched, present, out=np.zeros_like(matched), where=present > 0)
    counts["MT"] = float(np.count_nonzero(share > 0.8))
    counts["PT"] = float(np.count_nonzero(share >= 0.2)) - counts["MT"]
    counts["ML"] = sequence.num_truth - counts["MT"] - counts["PT"]
    counts["Frag"] = float(np.maximum(segments - 1, 0).sum())
    return counts


def identity_counts(sequence: TrackedSequence) -> dict[str, float]:
    """Identity's counts (``IDENTITY_COUNTS``) of one sequence.

    One assignment of ground-truth tracks to predicted tracks for the whole sequence, that with the fewest detections
    left wrong or unfound: as each pair saves twice the frames it has in common, that with the most frames in common.
    """
    common = np.zeros((sequence.num_truth, sequence.num_tracks))
    num_truth_detections = num_detections = 0
    for truth, tracks, similarity in zip(sequence.truth_ids, sequence.track_ids, sequence.similarity):
        rows, columns = np.nonzero(similarity >= MATCH_THRESHOLD)
        common[truth[rows], tracks[columns]] += 1
        num_truth_detections += len(truth)
        num_detections += len(tracks)
    true_positives = float(common[linear_sum_assignment(common, maximize=True)].sum())
    return {
        "IDTP": true_positives,
        "IDFN": num_truth_detections - true_positives,
        "IDFP": num_detections - true_positives,
    }


def sum_counts(counts: Iterable[dict[str, float]]) -> dict[str, float]:
    """Counts of several sequences or classes together."""
    total = dict.fromkeys((*CLEAR_COUNTS, *IDENTITY_COUNTS), 0.0)
    for one in counts:
        for key, value in one.items():
            total[key] += value
    return total


def add_ratios(counts: dict[str, float]) -> dict[str, float]:
    """The counts with the figures made of them: MOTA, MOTP, IDF1, IDP, IDR, as fractions; 0 where there is nothing."""
    num_truth = max(1.0, counts["TP"] + counts["FN"])
    return {
        **counts,
        "MOTA": (counts["TP"] - counts["FP"] - counts["IDSW"]) / num_truth,
        "MOTP": counts["MOTP_sum"] / max(1.0, counts["TP"]),
        "IDF1": counts["IDTP"] / max(1.0, counts["IDTP"] + 0.5 * counts["IDFP"] + 0.5 * counts["IDFN"]),
        "IDP": counts["IDTP"] / max(1.0, counts["IDTP"] + counts["IDFP"]),
        "IDR": counts["IDTP"] / max(1.0, counts["IDTP"] + counts["IDFN"]),
    }


@dataclass(frozen=True)
class AssociationResult:
    """CLEAR and Identity of a data set: counts and, as fractions, ratios.

    Attributes:
        total: counts summed over videos and categories.
        per_category: category name -> the same of one category.
    """

    total: dict[str, float]
    per_category: dict[str, dict[str, float]]


def evaluate_association(
    ground_truth: dict[str, Any], results: Sequence[dict[str, Any]], *, class_agnostic: bool = False
) -> AssociationResult:
    """CLEAR and Identity of YouTube-VIS results on mask IoU.

    Args:
        ground_truth: the content of an annotation file.
        results: the content of a ``results.json``.
        class_agnostic: a detection may match a ground truth of any category.

    Raises:
        AnnotationError: with the JSON path of what cannot be scored.
    """
    videos = {video["id"]: video for video in ground_truth["videos"]}
    counts: dict[int, list[dict[str, float]]] = {k: [] for k, _ in categories_of(ground_truth, class_agnostic)}
    for group in read_groups(ground_truth, results, class_agnostic=class_agnostic):
        length = len(videos[group.video_id]["file_names"])
        sequence = mask_sequence(group.truth_masks, group.found_masks, length)
        counts[group.category].append({**clear_counts(sequence), **identity_counts(sequence)})
    names = dict(categories_of(ground_truth, class_agnostic))
    sums = {k: sum_counts(one) for k, one in counts.items()}
    return AssociationResult(
        add_ratios(sum_counts(sums.values())), {names[k]: add_ratios(one) for k, one in sums.items()}
    )


def mask_sequence(ground_truth: TrackMasks, tracks: TrackMasks, length: int) -> TrackedSequence:
    """The tracks of one video and class, frame by frame. Tracks without any mask do not exist."""
    frames = [frame_overlaps(tracks, ground_truth, frame) for frame in range(length)]
    truth_names = sorted({track for _, truth, _ in frames for track in truth})
    track_names = sorted({track for found, _, _ in frames for track in found})
    return TrackedSequence(
        truth_ids=[np.searchsorted(truth_names, truth) for _, truth, _ in frames],
        track_ids=[np.searchsorted(track_names, found) for found, _, _ in frames],
        similarity=[np.maximum(iou, 0.0).T for _, _, iou in frames],
        num_truth=len(truth_names),
        num_tracks=len(track_names),
    )
