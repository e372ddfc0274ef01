"""Pose tracks as sequences for the tracking metrics of any similarity: HOTA, CLEAR and Identity."""

from __future__ import annotations

import numpy as np

from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.pose_sequence import PoseSequence

from ..association.tracked_sequence import TrackedSequence
from .frames import check_frames, order_by_name
from .pairs import PosePairs, pair_people

SIMILARITIES = ("oks", "pckh")


def pose_tracks(truth: PoseSequence, found: PoseSequence, similarity: str = "oks") -> TrackedSequence:
    """The people of a sequence in its labelled frames. Joints in ignore regions, and people without others, are gone.

    Args:
        similarity: "oks", the object keypoint similarity of COCO with the sigmas of ``POSETRACK_15`` and, as PoseTrack
            has no masks, the area of the annotated person's box; or "pckh", the share of the annotated joints that are
            found within half a head size, as in PoseTrack's AP. A joint that is not predicted has similarity 0.

    Raises:
        AnnotationError: the predictions have other frames than the ground truth.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"the similarity must be one of {', '.join(SIMILARITIES)}, not {similarity!r}")
    check_frames(truth, found)
    order = order_by_name(truth, found)
    found = found if order is None else found.reorder_frames(order)
    pairs = pair_people(truth, found)
    values = oks(pairs) if similarity == "oks" else pairs.share_found
    truth_used = truth.is_labeled[truth.frames] & pairs.truth_present.any(axis=1)
    found_used = truth.is_labeled[found.frames] & pairs.found_present.any(axis=1)
    truth_tracks, truth_index = np.unique(truth.track_ids[truth_used], return_inverse=True)
    found_tracks, found_index = np.unique(found.track_ids[found_used], return_inverse=True)
    used = truth_used[pairs.truth_index] & found_used[pairs.found_index]
    frames = np.arange(truth.num_frames + 1)
    truth_bounds = np.searchsorted(truth.frames[truth_used], frames)
    found_bounds = np.searchsorted(found.frames[found_used], frames)
    pair_bounds = np.searchsorted(pairs.frame[used], frames)
    labeled = np.flatnonzero(truth.is_labeled)
    truth_ids = [truth_index[truth_bounds[t] : truth_bounds[t + 1]] for t in labeled]
    track_ids = [found_index[found_bounds[t] : found_bounds[t + 1]] for t in labeled]
    in_frame = [values[used][pair_bounds[t] : pair_bounds[t + 1]] for t in labeled]
    return TrackedSequence(
        truth_ids=truth_ids,
        track_ids=track_ids,
        similarity=[v.reshape(len(g), len(d)) for v, g, d in zip(in_frame, truth_ids, track_ids)],
        num_truth=len(truth_tracks),
        num_tracks=len(found_tracks),
    )


def oks(pairs: PosePairs) -> np.ndarray:
    """(M,) object keypoint similarity, the mean over the annotated joints of exp(-d^2 / (2 area (2 sigma)^2)).

    Reference: pycocotools' ``COCOeval.computeOks``. People without a box have that of their annotated joints.
    """
    variances = (2 * np.array(POSETRACK_15.sigmas)) ** 2
    areas = np.where(np.isnan(pairs.truth.areas), _extent_areas(pairs), pairs.truth.areas)
    dx, dy = np.moveaxis(pairs.truth.keypoints[pairs.truth_index] - pairs.found.keypoints[pairs.found_index], 2, 0)
    with np.errstate(over="ignore"):
        exponent = (dx * dx + dy * dy) / variances / (areas[pairs.truth_index, None] + np.spacing(1)) / 2
    both = pairs.truth_present[pairs.truth_index] & pairs.found_present[pairs.found_index]
    num_joints = np.count_nonzero(pairs.truth_present, axis=1)
    return np.where(both, np.exp(-exponent), 0).sum(axis=1) / np.maximum(num_joints, 1)[pairs.truth_index]


def _extent_areas(pairs: PosePairs) -> np.ndarray:
    """(G,) area of the smallest box around the annotated joints; 0 without joints."""
    present = pairs.truth.present[..., None]
    low = np.where(present, pairs.truth.keypoints, np.inf).min(axis=1)
    high = np.where(present, pairs.truth.keypoints, -np.inf).max(axis=1)
    return np.prod(np.where(high >= low, high - low, 0), axis=1)
