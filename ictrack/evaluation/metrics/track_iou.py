"""Spatio-temporal overlap of tracks, and overlap of their masks frame by frame, from run lengths.

The masks of a track are joined over frames into one long mask (frame t begins at pixel t x H x W), so that one call of
pycocotools gives the overlaps of all pairs of tracks of a video, and no mask is ever decoded to pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.rle import RunLengths, encode_runs, remove_empty_runs
from ictrack.structures.youtube_vis_json import decode_segmentations

# pycocotools counts pixels in 32 bits.
_MAX_JOINED_PIXELS = 2**31


@dataclass(frozen=True)
class TrackMasks:
    """The masks of N tracks of one video.

    Attributes:
        masks: the M non-null masks, by track, then by frame.
        track: (M,) index of each mask's track.
        frame: (M,) its frame.
        lengths: (N,) entries of each track's list.
    """

    masks: RunLengths
    track: np.ndarray
    frame: np.ndarray
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
        masks = decode_segmentations(
            [entries[i]["segmentations"][t] for i, t in present],
            [f"{paths[i]}.segmentations[{t}]" for i, t in present],
            [size] * len(present),
        )
        track, frame = np.array(present, dtype=np.int64).reshape(-1, 2).T
        lengths = np.array([len(entry["segmentations"]) for entry in entries], dtype=np.int64)
        return cls(masks, track, frame, lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, tracks: np.ndarray) -> TrackMasks:
        """The tracks at ``tracks`` (K,), in that order."""
        begin = np.searchsorted(self.track, tracks)
        sizes = np.searchsorted(self.track, tracks, side="right") - begin
        renumbered = np.repeat(np.arange(len(tracks)), sizes)
        index = np.arange(len(renumbered)) + np.repeat(begin - np.cumsum(sizes) + sizes, sizes)
        return TrackMasks(self.masks.take(index), renumbered, self.frame[index], self.lengths[tracks])

    def frames(self, begin: int, end: int) -> TrackMasks:
        """Only the masks of frames begin <= t < end."""
        inside = (self.frame >= begin) & (self.frame < end)
        if inside.all():
            return self
        index = np.flatnonzero(inside)
        return TrackMasks(self.masks.take(index), self.track[index], self.frame[index], self.lengths)

    def mean_areas(self) -> np.ndarray:
        """Mean over the frames with a non-empty mask of its pixels, (N,); 0 without such a frame."""
        areas = self.masks.areas()
        visible = areas > 0
        sums = np.bincount(self.track[visible], weights=areas[visible], minlength=len(self))
        frames = np.bincount(self.track[visible], minlength=len(self))
        return np.divide(sums, frames, out=np.zeros(len(self)), where=frames > 0)


def track_iou(detections: TrackMasks, ground_truth: TrackMasks, *, cut_to_shorter: bool) -> np.ndarray:
    """Sum over frames of intersections over sum of unions of all pairs of tracks, (D, G); 0 where the union is 0.

    A frame in which only one of a pair has a mask adds that mask to the union. In a frame where the sizes of a pair's
    masks differ, neither sum grows, as in the official tool.

    Args:
        detections: D tracks.
        ground_truth: G tracks of the same video.
        cut_to_shorter: leave out the frames beyond the shorter list of a pair, as the official tool does.
    """
    iou = np.zeros((len(detections), len(ground_truth)))
    if iou.size == 0:
        return iou
    if not cut_to_shorter or len(np.unique([*detections.lengths, *ground_truth.lengths])) == 1:
        return _iou_of_frames(detections, ground_truth)
    for detection_length in np.unique(detections.lengths):
        rows = np.flatnonzero(detections.lengths == detection_length)
        for truth_length in np.unique(ground_truth.lengths):
            columns = np.flatnonzero(ground_truth.lengths == truth_length)
            end = int(min(detection_length, truth_length))
            iou[np.ix_(rows, columns)] = _iou_of_frames(
                detections.take(rows).frames(0, end), ground_truth.take(columns).frames(0, end)
            )
    return iou


def frame_overlaps(detections: TrackMasks, ground_truth: TrackMasks, frame: int) -> tuple[np.ndarray, ...]:
    """Tracks present in one frame and the IoU of their masks.

    Returns:
        ground-truth tracks (G_t,), detected tracks (D_t,), IoU (G_t, D_t); masks of different sizes have IoU 0.
    """
    truth_index = np.flatnonzero(ground_truth.frame == frame)
    detection_index = np.flatnonzero(detections.frame == frame)
    iou = np.zeros((len(truth_index), len(detection_index)))
    if iou.size:
        truth = _to_rles(ground_truth.masks.take(truth_index))
        found = _to_rles(detections.masks.take(detection_index))
        # pycocotools gives -1 where sizes differ.
        iou = np.maximum(mask_util.iou(truth, found, [0] * len(found)), 0.0)
    return ground_truth.track[truth_index], detections.track[detection_index], iou


def _iou_of_frames(detections: TrackMasks, ground_truth: TrackMasks) -> np.ndarray:
    shape = (len(detections), len(ground_truth))
    sizes = np.unique(np.concatenate([detections.masks.sizes, ground_truth.masks.sizes]), axis=0)
    if len(sizes) == 0:
        return np.zeros(shape)
    if len(sizes) > 1:
        intersection, union = _sums_of_unequal_sizes(detections, ground_truth)
    else:
        height, width = (int(n) for n in sizes[0])
        intersection = np.zeros(shape)
        areas = [
            np.bincount(tracks.track, weights=tracks.masks.areas(), minlength=len(tracks))
            for tracks in (detections, ground_truth)
        ]
        union = areas[0][:, None] + areas[1][None, :]
        frames = int(max(*detections.lengths, *ground_truth.lengths))
        step = max(1, _MAX_JOINED_PIXELS // (height * width))
        for begin in range(0, frames, step):
            end = min(begin + step, frames)
            joined = (_join(tracks, begin, end, height, width) for tracks in (detections, ground_truth))
            intersection += _intersections(*joined)
        union = union - intersection
    return np.divide(intersection, union, out=np.zeros(shape), where=union > 0)


def _intersections(detections: list[dict[str, Any]], ground_truth: list[dict[str, Any]]) -> np.ndarray:
    """Pixels in common of joined masks, (D, G)."""
    iou = mask_util.iou(detections, ground_truth, [0] * len(ground_truth))
    sums = np.add.outer(mask_util.area(detections).astype(float), mask_util.area(ground_truth).astype(float))
    # IoU = I / (A + B - I), hence I = IoU (A + B) / (1 + IoU): a whole number below 2**32, so rounding is exact.
    return np.rint(iou * sums / (1.0 + iou))


def _join(tracks: TrackMasks, begin: int, end: int, height: int, width: int) -> list[dict[str, Any]]:
    """One RLE of H x (W (end - begin)) pixels a track: its masks of frames begin <= t < end side by side."""
    tracks = tracks.frames(begin, end)
    pixels = height * width
    total = pixels * (end - begin)
    runs = np.diff(tracks.masks.offsets)
    owner = np.repeat(np.arange(len(runs)), runs)
    # Where each run ends in its track. One more pixel separates the tracks, so that ends and beginnings stay apart.
    base = tracks.track * (total + 1) + (tracks.frame - begin) * pixels
    ends = np.cumsum(tracks.masks.counts) - owner * pixels + base[owner]
    # A mask begins with a run of zeros: an odd number of runs ends with zeros, which the next frame's first run
    # continues, and is no switch; an even number ends with ones, and the end of the frame switches them off.
    is_switch = np.ones(len(ends), dtype=bool)
    last = tracks.masks.offsets[1:] - 1
    is_switch[last[runs % 2 == 1]] = False
    switches = remove_empty_runs(ends[is_switch])

    # Every track's first and last pixel and its switches between them; the step to the next track is no run.
    starts = np.arange(len(tracks)) * (total + 1)
    edges = np.sort(np.concatenate([switches, starts, starts + total]), kind="stable")
    runs_joined = np.bincount(switches // (total + 1), minlength=len(tracks)) + 1
    counts = np.delete(np.diff(edges), np.cumsum(runs_joined + 1)[:-1] - 1)
    strings = encode_runs(counts, runs_joined)
    return [{"size": [height, width * (end - begin)], "counts": string} for string in strings]


def _sums_of_unequal_sizes(detections: TrackMasks, ground_truth: TrackMasks) -> tuple[np.ndarray, np.ndarray]:
    """Intersections and unions, frame by frame, where masks of several sizes meet."""
    intersection = np.zeros((len(detections), len(ground_truth)))
    union = np.zeros_like(intersection)
    for frame in np.union1d(detections.frame, ground_truth.frame):
        index = [np.flatnonzero(tracks.frame == frame) for tracks in (detections, ground_truth)]
        area = [np.zeros(len(detections)), np.zeros(len(ground_truth))]
        for tracks, members, out in zip((detections, ground_truth), index, area):
            out[tracks.track[members]] = tracks.masks.take(members).areas()
        frame_union = np.add.outer(*area)
        if len(index[0]) and len(index[1]):
            masks = [tracks.masks.take(m) for tracks, m in zip((detections, ground_truth), index)]
            pair = np.ix_(detections.track[index[0]], ground_truth.track[index[1]])
            iou = mask_util.iou(_to_rles(masks[0]), _to_rles(masks[1]), [0] * len(masks[1]))
            common = np.rint(iou * frame_union[pair] / (1.0 + np.maximum(iou, 0.0)))
            same_size = (masks[0].sizes[:, None] == masks[1].sizes[None]).all(axis=2)
            intersection[pair] += np.where(same_size, common, 0.0)
            frame_union[pair] = np.where(same_size, frame_union[pair] - common, 0.0)
        union += frame_union
    return intersection, union


def _to_rles(masks: RunLengths) -> list[dict[str, Any]]:
    strings = encode_runs(masks.counts, np.diff(masks.offsets))
    return [{"size": [int(h), int(w)], "counts": string} for (h, w), string in zip(masks.sizes, strings)]
