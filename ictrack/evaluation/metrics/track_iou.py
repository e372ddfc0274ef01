"""Overlap of tracks: of their masks frame by frame, and over the whole video. No mask is ever decoded to pixels."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, compress, filterfalse
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.rle import RLE
from ictrack.structures.youtube_vis_json import read_masks


@dataclass(frozen=True)
class TrackMasks:
    """The masks of N tracks of one video. T is the length of the longest list.

    Attributes:
        rles: (N,) lists with an RLE a frame, or something that is false; they may be shorter than T.
        lengths: (N,) entries of each track's list.
        present: (N, T) bool, has a mask, though perhaps one without pixels.
        areas: (N, T) pixels, 0 where there is no mask.
        columns: (N, T, 2) first and last column of the mask; (0, -1) where there is no pixel.
        other_size: (N, T) bool, the mask's frame has another size than the video.
        size: (H, W) of the video.
    """

    rles: list[list[RLE | None]]
    lengths: np.ndarray
    present: np.ndarray
    areas: np.ndarray
    columns: np.ndarray
    other_size: np.ndarray
    size: tuple[int, int]

    @classmethod
    def read(cls, entries: Sequence[dict[str, Any]], paths: Sequence[str], size: tuple[int, int]) -> TrackMasks:
        """Of annotations or results, by their ``segmentations``.

        Args:
            entries: (N,) of one video.
            paths: (N,) their JSON paths, for errors.
            size: (H, W) of the video.

        Raises:
            AnnotationError: a segmentation is no mask.
        """
        lists = [entry["segmentations"] for entry in entries]
        lengths = np.array([len(one) for one in lists], dtype=np.int64)
        in_list = np.arange(lengths.max(initial=0)) < lengths[:, None]
        flat = list(chain.from_iterable(lists))
        # An empty list of polygons is no mask, as in pycocotools. What else is empty, such as 0 or {}, is an error.
        is_mask = list(map(bool, flat))
        if not set(map(type, filterfalse(None, flat))) <= {type(None), list}:
            is_mask = [segmentation is not None and segmentation != [] for segmentation in flat]
        present = np.zeros(in_list.shape, dtype=bool)
        present[in_list] = np.array(is_mask, dtype=bool)
        tracks, frames = np.nonzero(present)
        given = list(compress(flat, is_mask))
        masks, runs = read_masks(given, _SegmentationPaths(paths, tracks, frames), [size] * len(given))
        if not all(map(operator.is_, masks, given)):
            remaining = iter(masks)
            lists = [[next(remaining) if segmentation else None for segmentation in one] for one in lists]
        areas = np.zeros(in_list.shape, dtype=np.int64)
        columns = np.full((*in_list.shape, 2), (0, -1), dtype=np.int64)
        other_size = np.zeros(in_list.shape, dtype=bool)
        if masks:
            areas[present] = runs.areas()
            columns[present] = runs.columns()
            other_size[present] = (runs.sizes != size).any(axis=1)
        return cls(lists, lengths, present, areas, columns, other_size, size)

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, index: np.ndarray | slice) -> TrackMasks:
        """The tracks at positions, in that order."""
        return TrackMasks(
            rles=self.rles[index] if isinstance(index, slice) else [self.rles[i] for i in index.tolist()],
            lengths=self.lengths[index],
            present=self.present[index],
            areas=self.areas[index],
            columns=self.columns[index],
            other_size=self.other_size[index],
            size=self.size,
        )

    def mean_areas(self) -> np.ndarray:
        """Mean over the frames with a mask that is not empty of its pixels, (N,); 0 without such a frame."""
        frames = np.count_nonzero(self.areas, axis=1)
        return np.divide(self.areas.sum(axis=1), frames, out=np.zeros(len(self)), where=frames > 0)


class FrameOverlap(NamedTuple):
    """IoU of the masks in one frame.

    Attributes:
        frame: its index.
        found, truth: (D_t,), (G_t,) tracks that have a mask in the frame.
        iou: (D_t, G_t), -1 where the sizes of masks differ.
    """

    frame: int
    found: np.ndarray
    truth: np.ndarray
    iou: np.ndarray


def frame_overlaps(detections: TrackMasks, ground_truth: TrackMasks) -> list[FrameOverlap]:
    """The overlaps of two sets of tracks of a video, in all frames where both have a mask."""
    length = min(detections.present.shape[1], ground_truth.present.shape[1])
    found_in, truth_in = (tracks_by_frame(masks, length) for masks in (detections, ground_truth))
    sizes_may_differ = bool(detections.other_size.any() or ground_truth.other_size.any())
    overlaps = []
    for frame, (found, truth) in enumerate(zip(found_in, truth_in)):
        if len(found) == 0 or len(truth) == 0:
            continue
        found_rles: list[Any] = [detections.rles[i][frame] for i in found.tolist()]
        truth_rles: list[Any] = [ground_truth.rles[i][frame] for i in truth.tolist()]
        iou = mask_util.iou(found_rles, truth_rles, [0] * len(truth_rles))
        if sizes_may_differ:
            sizes = [np.array([rle["size"] for rle in rles]) for rles in (found_rles, truth_rles)]
            iou[(sizes[0][:, None] != sizes[1][None, :]).any(axis=2)] = -1.0
        overlaps.append(FrameOverlap(frame, found, truth, iou))
    return overlaps


def track_iou(
    detections: TrackMasks,
    ground_truth: TrackMasks,
    *,
    cut_to_shorter: bool,
    overlaps: Sequence[FrameOverlap] | None = None,
) -> np.ndarray:
    """Sum over frames of intersections over sum of unions of all pairs of tracks, (D, G); 0 where the union is 0.

    A frame in which only one of a pair has a mask adds that mask to the union. In a frame where the sizes of a pair's
    masks differ, neither sum grows, as in the official tool.

    Args:
        detections: D tracks.
        ground_truth: G tracks of the same video.
        cut_to_shorter: leave out the frames beyond the shorter list of a pair, as the official tool does.
        overlaps: :func:`frame_overlaps` of the two, where they are known already.
    """
    shape = (len(detections), len(ground_truth))
    if 0 in shape:
        return np.zeros(shape)
    areas = _pair_sums(detections, ground_truth, cut_to_shorter)
    intersection = np.zeros(shape)
    parts = []
    for frame, found, truth, iou in frame_overlaps(detections, ground_truth) if overlaps is None else overlaps:
        rows, columns = np.nonzero(iou)
        if len(rows):
            rows_columns = found[rows], truth[columns]
            parts.append((np.full(len(rows), frame), *rows_columns, iou[rows, columns]))
    if parts:
        frames, found, truth, iou = (np.concatenate(values) for values in zip(*parts))
        sums = detections.areas[found, frames] + ground_truth.areas[truth, frames]
        comparable = iou > 0
        # IoU = I / (A + B - I), hence I = IoU (A + B) / (1 + IoU): a whole number below 2**29, so rounding is exact.
        shared = np.where(comparable, np.rint(iou * sums / (1.0 + np.maximum(iou, 0.0))), 0.0)
        pairs = found * shape[1] + truth
        intersection += np.bincount(pairs, shared, minlength=areas.size).reshape(shape)
        areas -= np.bincount(pairs, np.where(comparable, 0, sums), minlength=areas.size).reshape(shape)
    union = areas - intersection
    return np.divide(intersection, union, out=np.zeros(shape), where=union > 0)


def track_iou_from(
    min_iou: float, detections: TrackMasks, ground_truth: TrackMasks, *, cut_to_shorter: bool
) -> np.ndarray:
    """:func:`track_iou` where it reaches ``min_iou``; pairs that cannot reach it, by areas and columns, may be 0."""
    shape = (len(detections), len(ground_truth))
    if 0 in shape:
        return np.zeros(shape)
    length = detections.present.shape[1]
    if (
        (detections.lengths != length).any()
        or (ground_truth.lengths != length).any()
        or detections.other_size.any()
        or ground_truth.other_size.any()
    ):
        return track_iou(detections, ground_truth, cut_to_shorter=cut_to_shorter)
    candidates = _may_reach(min_iou, detections, ground_truth)
    found, truth = np.flatnonzero(candidates.any(axis=1)), np.flatnonzero(candidates.any(axis=0))
    iou = np.zeros(shape)
    iou[np.ix_(found, truth)] = track_iou(
        detections.take(found), ground_truth.take(truth), cut_to_shorter=cut_to_shorter
    )
    return iou


def _may_reach(min_iou: float, detections: TrackMasks, ground_truth: TrackMasks) -> np.ndarray:
    """(D, G) bool: in no frame can the intersection exceed either mask, or the columns that both have pixels in."""
    candidates = np.zeros((len(detections), len(ground_truth)), dtype=bool)
    total = detections.areas.sum(axis=1)
    for g in range(len(ground_truth)):
        columns = np.minimum(detections.columns[..., 1], ground_truth.columns[g, :, 1])
        columns -= np.maximum(detections.columns[..., 0], ground_truth.columns[g, :, 0]) - 1
        bound = np.minimum(detections.areas, ground_truth.areas[g])
        bound = np.minimum(bound, np.maximum(columns, 0) * ground_truth.size[0]).sum(axis=1)
        # I / (S - I) >= t for the sum S of both areas means I (1 + t) >= t S. The factor allows for rounding.
        candidates[:, g] = bound * (1 + min_iou) >= min_iou * (total + ground_truth.areas[g].sum()) * (1 - 1e-9)
    return candidates


def _pair_sums(detections: TrackMasks, ground_truth: TrackMasks, cut_to_shorter: bool) -> np.ndarray:
    """Sum of both tracks' areas over the frames that count, (D, G)."""
    if not cut_to_shorter:
        return np.add.outer(detections.areas.sum(axis=1), ground_truth.areas.sum(axis=1)).astype(float)
    sums = []
    for one, other in ((detections, ground_truth), (ground_truth, detections)):
        running = np.zeros((len(one), one.areas.shape[1] + 1), dtype=np.int64)
        np.cumsum(one.areas, axis=1, out=running[:, 1:])
        common = np.minimum(one.lengths[:, None], other.lengths[None, :])
        sums.append(np.take_along_axis(running, common, axis=1))
    return (sums[0] + sums[1].T).astype(float)


def tracks_by_frame(masks: TrackMasks, length: int) -> list[np.ndarray]:
    """The tracks that have a mask in each of the first ``length`` frames."""
    frames, tracks = np.nonzero(masks.present[:, :length].T)
    limits = np.searchsorted(frames, np.arange(length + 1)).tolist()
    return [tracks[start:end] for start, end in zip(limits[:-1], limits[1:])]


class _SegmentationPaths(Sequence[str]):
    """The JSON paths of tracks' segmentations, made where they are asked for."""

    def __init__(self, paths: Sequence[str], tracks: np.ndarray, frames: np.ndarray) -> None:
        self._paths, self._tracks, self._frames = paths, tracks, frames

    def __len__(self) -> int:
        return len(self._tracks)

    def __getitem__(self, index: Any) -> Any:
        return f"{self._paths[self._tracks[index]]}.segmentations[{self._frames[index]}]"
