"""Pose tracks as sequences for HOTA, CLEAR and Identity."""

from __future__ import annotations

import numpy as np

from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.pose_sequence import PoseSequence

from ..association.tracked_sequence import TrackedSequence
from .frames import check_frames, order_by_name
from .pairs import PosePairs, pair_people

SIMILARITIES = ("oks", "pckh")


def pose_tracks(gt: PoseSequence, pred: PoseSequence, similarity: str = "oks") -> TrackedSequence:
    """People of a sequence in its labeled frames, without joints in ignore regions, and people without other joints.

    Args:
        gt, pred: Ground truth and predictions of a sequence.
        similarity: "oks", the object keypoint similarity of COCO with the sigmas of ``POSETRACK_15`` and, as PoseTrack
            has no masks, the area of the annotated person's box; or "pckh", the share of the annotated joints that are
            found within half a head size, as in PoseTrack's AP. A joint that is not predicted has similarity 0.

    Raises:
        AnnotationError: the predictions have other frames than the ground truth.
    """
    if similarity not in SIMILARITIES:
        raise ValueError(f"the similarity must be one of {', '.join(SIMILARITIES)}, not {similarity!r}")
    check_frames(gt, pred)
    order = order_by_name(gt, pred)
    pred = pred if order is None else pred.reorder_frames(order)
    pairs = pair_people(gt, pred)
    values = oks(pairs) if similarity == "oks" else pairs.share_matched
    gt_used = gt.is_labeled[gt.frames] & pairs.gt_present.any(axis=1)
    pred_used = gt.is_labeled[pred.frames] & pairs.pred_present.any(axis=1)
    gt_tracks, gt_index = np.unique(gt.track_ids[gt_used], return_inverse=True)
    pred_tracks, pred_index = np.unique(pred.track_ids[pred_used], return_inverse=True)
    used = gt_used[pairs.gt_index] & pred_used[pairs.pred_index]
    frames = np.arange(gt.num_frames + 1)
    gt_bounds = np.searchsorted(gt.frames[gt_used], frames)
    pred_bounds = np.searchsorted(pred.frames[pred_used], frames)
    pair_bounds = np.searchsorted(pairs.frame[used], frames)
    labeled = np.flatnonzero(gt.is_labeled)
    gt_ids = [gt_index[gt_bounds[t] : gt_bounds[t + 1]] for t in labeled]
    pred_ids = [pred_index[pred_bounds[t] : pred_bounds[t + 1]] for t in labeled]
    in_frame = [values[used][pair_bounds[t] : pair_bounds[t + 1]] for t in labeled]
    return TrackedSequence(
        gt_ids=gt_ids,
        pred_ids=pred_ids,
        similarity=[v.reshape(len(g), len(d)) for v, g, d in zip(in_frame, gt_ids, pred_ids)],
        num_gt=len(gt_tracks),
        num_pred=len(pred_tracks),
    )


def oks(pairs: PosePairs) -> np.ndarray:
    """Object keypoint similarity (M,), the mean over the annotated joints of exp(-d^2 / (2 area (2 sigma)^2)).

    Reference: pycocotools' ``COCOeval.computeOks``. A missing box is replaced by the box of the annotated joints.
    """
    variances = (2 * np.array(POSETRACK_15.sigmas)) ** 2
    areas = np.where(np.isnan(pairs.gt.areas), _extent_areas(pairs), pairs.gt.areas)
    dx, dy = np.moveaxis(pairs.gt.keypoints[pairs.gt_index] - pairs.pred.keypoints[pairs.pred_index], 2, 0)
    with np.errstate(over="ignore"):
        exponent = (dx * dx + dy * dy) / variances / (areas[pairs.gt_index, None] + np.spacing(1)) / 2
    both = pairs.gt_present[pairs.gt_index] & pairs.pred_present[pairs.pred_index]
    num_joints = np.count_nonzero(pairs.gt_present, axis=1)
    return np.where(both, np.exp(-exponent), 0).sum(axis=1) / np.maximum(num_joints, 1)[pairs.gt_index]


def _extent_areas(pairs: PosePairs) -> np.ndarray:
    """Area (G,) of the smallest box around the annotated joints; 0 without joints."""
    present = pairs.gt.present[..., None]
    low = np.where(present, pairs.gt.keypoints, np.inf).min(axis=1)
    high = np.where(present, pairs.gt.keypoints, -np.inf).max(axis=1)
    return np.prod(np.where(high >= low, high - low, 0), axis=1)
