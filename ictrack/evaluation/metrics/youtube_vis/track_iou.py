"""Overlap of tracks, frame by frame and over the whole video, without decoding masks to pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_util

from .track_masks import TrackMasks


class PairOverlaps(NamedTuple):
    """IoU of P pairs of a detection's and a ground truth's mask, frame by frame, ground truth by ground truth.

    Attributes:
        frame: (P,) frame indices, ascending.
        pred_index, gt_index: (P,) indices of the tracks.
        iou: (P,) IoU in (0, 1], or -1 where the sizes of the masks differ.
    """

    frame: np.ndarray
    pred_index: np.ndarray
    gt_index: np.ndarray
    iou: np.ndarray


def pair_overlaps(pred: TrackMasks, gt: TrackMasks, candidates: np.ndarray | None = None) -> PairOverlaps:
    """Pairs of masks of two sets of tracks in a video that overlap, or have different sizes, in one frame.

    Args:
        pred: D tracks.
        gt: G tracks.
        candidates: (D, G) mask of the requested pairs; others may be missing. None: all.
    """
    # Most masks meet no other, and can be skipped.
    meet = _share_columns(pred, gt)
    if candidates is not None:
        meet &= candidates[:, None, :]
    frames = np.flatnonzero(np.any(meet, axis=(0, 2)))
    pred_index, pred_limits = _by_frame(np.any(meet, axis=2)[:, frames])
    gt_index, gt_limits = _by_frame(np.any(meet, axis=0).T[:, frames])
    pred_rles: list[Any] = [pred.rles[i][t] for i, t in zip(pred_index.tolist(), _repeat(frames, pred_limits))]
    gt_rles: list[Any] = [gt.rles[i][t] for i, t in zip(gt_index.tolist(), _repeat(frames, gt_limits))]
    sizes_may_differ = bool(pred.other_size.any() or gt.other_size.any())
    parts = [np.zeros(0)]
    for (start, end), (first, last) in zip(_pairwise(pred_limits), _pairwise(gt_limits)):
        iou = mask_util.iou(pred_rles[start:end], gt_rles[first:last], [0] * (last - first))
        if sizes_may_differ:
            iou[_sizes_differ(pred_rles[start:end], gt_rles[first:last])] = -1.0
        parts.append(iou.ravel(order="F"))
    # All at once: which frame and which two masks each number is of.
    values = np.concatenate(parts)
    position = np.flatnonzero(values)
    numbers = np.diff(pred_limits)
    ends = np.cumsum(numbers * np.diff(gt_limits))
    index = np.searchsorted(ends, position, side="right")
    column, row = np.divmod(position - np.concatenate([[0], ends])[index], numbers[index])
    return PairOverlaps(
        frames[index], pred_index[pred_limits[index] + row], gt_index[gt_limits[index] + column], values[position]
    )


def track_iou(
    pred: TrackMasks,
    gt: TrackMasks,
    *,
    cut_to_shorter: bool,
    overlaps: PairOverlaps | None = None,
) -> np.ndarray:
    """IoU (D, G) of tracks: sum over frames of intersections by sum of unions; 0 where the union is 0.

    A frame in which only one of a pair has a mask adds that mask to the union. A frame in which the sizes of a pair's
    masks differ adds nothing, as in the official tool.

    Args:
        pred: D tracks.
        gt: G tracks of the same video.
        cut_to_shorter: Whether to leave out the frames beyond the shorter list of a pair, as the official tool does.
        overlaps: Result of :func:`pair_overlaps` for the two, if known already.
    """
    shape = (len(pred), len(gt))
    if 0 in shape:
        return np.zeros(shape)
    if overlaps is None:
        overlaps = pair_overlaps(pred, gt)
    areas = _pair_sums(pred, gt, cut_to_shorter)
    frame, pred_index, gt_index, iou = overlaps
    sums = pred.areas[pred_index, frame] + gt.areas[gt_index, frame]
    comparable = iou > 0
    # IoU = I / (A + B - I), hence I = IoU (A + B) / (1 + IoU): a whole number below 2**29, so rounding is exact.
    shared = np.where(comparable, np.rint(iou * sums / (1.0 + np.maximum(iou, 0.0))), 0.0)
    pairs = pred_index * shape[1] + gt_index
    intersection = np.bincount(pairs, shared, minlength=areas.size).reshape(shape)
    areas -= np.bincount(pairs, np.where(comparable, 0, sums), minlength=areas.size).reshape(shape)
    union = areas - intersection
    return np.divide(intersection, union, out=np.zeros(shape), where=union > 0)


def track_iou_from(min_iou: float, pred: TrackMasks, gt: TrackMasks, *, cut_to_shorter: bool) -> np.ndarray:
    """IoU (D, G) of :func:`track_iou`, with 0 for pairs that, by areas and columns, cannot reach ``min_iou``."""
    shape = (len(pred), len(gt))
    if 0 in shape:
        return np.zeros(shape)
    length = pred.present.shape[1]
    if (pred.lengths != length).any() or (gt.lengths != length).any() or pred.other_size.any() or gt.other_size.any():
        return track_iou(pred, gt, cut_to_shorter=cut_to_shorter)
    candidates = _may_reach(min_iou, pred, gt)
    if not candidates.any():
        return np.zeros(shape)
    overlaps = pair_overlaps(pred, gt, candidates)
    return candidates * track_iou(pred, gt, cut_to_shorter=cut_to_shorter, overlaps=overlaps)


def _share_columns(pred: TrackMasks, gt: TrackMasks) -> np.ndarray:
    """Mask (D, T, G) of the pairs that in a frame share a column, or have masks of different frame sizes."""
    length = min(pred.present.shape[1], gt.present.shape[1])
    present = pred.present[:, :length], gt.present[:, :length]
    odd = pred.other_size[:, :length], gt.other_size[:, :length]
    columns = pred.columns[:, :length], gt.columns[:, :length]
    meet = np.empty((len(pred), length, len(gt)), dtype=bool)
    for g in range(len(gt)):
        left = np.maximum(columns[0][..., 0], columns[1][g, :, 0])
        # An empty mask, from column 0 to -1, meets no other.
        meet[..., g] = left <= np.minimum(columns[0][..., 1], columns[1][g, :, 1])
        meet[..., g] |= (odd[0] | odd[1][g]) & present[0] & present[1][g]
    return meet


def _may_reach(min_iou: float, pred: TrackMasks, gt: TrackMasks) -> np.ndarray:
    """Mask (D, G) of the pairs that may reach ``min_iou``: an intersection exceeds neither mask nor common columns."""
    candidates = np.zeros((len(pred), len(gt)), dtype=bool)
    total = pred.areas.sum(axis=1)
    for g in range(len(gt)):
        columns = np.minimum(pred.columns[..., 1], gt.columns[g, :, 1])
        columns -= np.maximum(pred.columns[..., 0], gt.columns[g, :, 0]) - 1
        bound = np.minimum(pred.areas, gt.areas[g])
        bound = np.minimum(bound, np.maximum(columns, 0) * gt.size[0]).sum(axis=1)
        # I / (S - I) >= t for the sum S of both areas means I (1 + t) >= t S. The factor allows for rounding.
        candidates[:, g] = bound * (1 + min_iou) >= min_iou * (total + gt.areas[g].sum()) * (1 - 1e-9)
    return candidates


def _pair_sums(pred: TrackMasks, gt: TrackMasks, cut_to_shorter: bool) -> np.ndarray:
    """Sum (D, G) of both tracks' areas over the frames that count."""
    if not cut_to_shorter:
        return np.add.outer(pred.areas.sum(axis=1), gt.areas.sum(axis=1)).astype(float)
    sums = []
    for one, other in ((pred, gt), (gt, pred)):
        running = np.zeros((len(one), one.areas.shape[1] + 1), dtype=np.int64)
        np.cumsum(one.areas, axis=1, out=running[:, 1:])
        common = np.minimum(one.lengths[:, None], other.lengths[None, :])
        sums.append(np.take_along_axis(running, common, axis=1))
    return (sums[0] + sums[1].T).astype(float)


def _sizes_differ(pred: list[Any], gt: list[Any]) -> np.ndarray:
    """Mask (D, G) of the pairs of RLEs with different sizes."""
    one, other = (np.array([rle["size"] for rle in rles]) for rles in (pred, gt))
    return np.any(one[:, None] != other[None, :], axis=2)


def _by_frame(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tracks that a mask (N, T) holds in each frame, concatenated over frames, and the frames' limits (T + 1,)."""
    frames, tracks = np.nonzero(masks.T)
    return tracks, np.searchsorted(frames, np.arange(masks.shape[1] + 1))


def _repeat(frames: np.ndarray, limits: np.ndarray) -> list[int]:
    return np.repeat(frames, np.diff(limits)).tolist()


def _pairwise(limits: np.ndarray) -> list[tuple[int, int]]:
    numbers = limits.tolist()
    return list(zip(numbers[:-1], numbers[1:]))
