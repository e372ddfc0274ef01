"""Overlap of tracks: of their masks frame by frame, and over the whole video. No mask is ever decoded to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.rle import RLE
from ictrack.structures.youtube_vis_json import normalize_segmentations


@dataclass(frozen=True)
class TrackMasks:
    """The masks of N tracks of one video.

    Attributes:
        rles: (N,) lists with an RLE or None a frame; they may be shorter than T.
        areas: (N, T) pixels, 0 where there is no mask; T is the length of the longest list.
        lengths: (N,) entries of each track's list.
    """

    rles: list[list[RLE | None]]
    areas: np.ndarray
    lengths: np.ndarray

    @classmethod
    def read(cls, entries: Sequence[dict[str, Any]], paths: Sequence[str], size: tuple[int, int]) -> TrackMasks:
        """Of annotations or results, by their ``segmentations``.

        Args:
            entries: (N,) of one video.
            paths: (N,) their JSON paths, for errors.
            size: (H, W) of the video, for polygons.

        Raises:
            AnnotationError: a segmentation is no mask.
        """
        # An empty list of polygons is no mask, as in pycocotools.
        present = [(i, t) for i, entry in enumerate(entries) for t, s in enumerate(entry["segmentations"]) if s]
        masks, pixels = normalize_segmentations(
            [entries[i]["segmentations"][t] for i, t in present],
            [f"{paths[i]}.segmentations[{t}]" for i, t in present],
            [size] * len(present),
        )
        lengths = np.array([len(entry["segmentations"]) for entry in entries], dtype=np.int64)
        rles: list[list[RLE | None]] = [[None] * length for length in lengths]
        for (i, t), rle in zip(present, masks):
            rles[i][t] = rle
        areas = np.zeros((len(entries), lengths.max(initial=0)), dtype=np.int64)
        if present:
            areas[tuple(np.transpose(present))] = pixels
        return cls(rles, areas, lengths)

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, tracks: Sequence[int]) -> TrackMasks:
        """The tracks at the positions ``tracks``, in that order."""
        index = np.array(tracks, dtype=np.int64)
        return TrackMasks([self.rles[i] for i in tracks], self.areas[index], self.lengths[index])

    def in_frame(self, frame: int) -> list[int]:
        """The tracks that have a mask in a frame."""
        return [i for i, rles in enumerate(self.rles) if frame < len(rles) and rles[frame] is not None]

    def mean_areas(self) -> np.ndarray:
        """Mean over the frames with a mask that is not empty of its pixels, (N,); 0 without such a frame."""
        frames = np.count_nonzero(self.areas, axis=1)
        return np.divide(self.areas.sum(axis=1), frames, out=np.zeros(len(self)), where=frames > 0)


def frame_overlaps(
    detections: TrackMasks, ground_truth: TrackMasks, frame: int
) -> tuple[list[int], list[int], np.ndarray]:
    """Tracks that have a mask in a frame, and the IoU of their masks.

    Returns:
        detected tracks (D_t,), ground-truth tracks (G_t,), and (D_t, G_t) IoU, -1 where the sizes of masks differ.
    """
    found, truth = detections.in_frame(frame), ground_truth.in_frame(frame)
    if not found or not truth:
        return found, truth, np.zeros((len(found), len(truth)))
    found_rles: list[Any] = [detections.rles[i][frame] for i in found]
    truth_rles: list[Any] = [ground_truth.rles[i][frame] for i in truth]
    iou = mask_util.iou(found_rles, truth_rles, [0] * len(truth))
    if any(rle["size"] != found_rles[0]["size"] for rle in found_rles + truth_rles):
        sizes = [np.array([rle["size"] for rle in rles]) for rles in (found_rles, truth_rles)]
        iou[(sizes[0][:, None] != sizes[1][None, :]).any(axis=2)] = -1.0
    return found, truth, iou


def track_iou(detections: TrackMasks, ground_truth: TrackMasks, *, cut_to_shorter: bool) -> np.ndarray:
    """Sum over frames of intersections over sum of unions of all pairs of tracks, (D, G); 0 where the union is 0.

    A frame in which only one of a pair has a mask adds that mask to the union. In a frame where the sizes of a pair's
    masks differ, neither sum grows, as in the official tool.

    Args:
        detections: D tracks.
        ground_truth: G tracks of the same video.
        cut_to_shorter: leave out the frames beyond the shorter list of a pair, as the official tool does.
    """
    shape = (len(detections), len(ground_truth))
    if 0 in shape:
        return np.zeros(shape)
    intersection = np.zeros(shape)
    areas = _pair_sums(detections, ground_truth, cut_to_shorter)
    for frame in range(min(detections.areas.shape[1], ground_truth.areas.shape[1])):
        found, truth, iou = frame_overlaps(detections, ground_truth, frame)
        if iou.size == 0:
            continue
        pairs = (np.array(found)[:, None], truth)
        sums = np.add.outer(detections.areas[found, frame], ground_truth.areas[truth, frame])
        comparable = iou >= 0
        # IoU = I / (A + B - I), hence I = IoU (A + B) / (1 + IoU): a whole number below 2**29, so rounding is exact.
        intersection[pairs] += np.where(comparable, np.rint(iou * sums / (1.0 + np.maximum(iou, 0.0))), 0.0)
        areas[pairs] -= np.where(comparable, 0.0, sums)
    union = areas - intersection
    return np.divide(intersection, union, out=np.zeros(shape), where=union > 0)


def _pair_sums(detections: TrackMasks, ground_truth: TrackMasks, cut_to_shorter: bool) -> np.ndarray:
    """Pixels of both tracks of each pair, (D, G)."""
    if not cut_to_shorter:
        return np.add.outer(detections.areas.sum(axis=1), ground_truth.areas.sum(axis=1)).astype(float)
    end = np.minimum.outer(detections.lengths, ground_truth.lengths)
    rows, columns = np.indices(end.shape)
    return (_running_sums(detections)[rows, end] + _running_sums(ground_truth)[columns, end]).astype(float)


def _running_sums(tracks: TrackMasks) -> np.ndarray:
    """(N, T + 1): pixels of the first 0, 1, ... frames."""
    return np.pad(np.cumsum(tracks.areas, axis=1), ((0, 0), (1, 0)))
