"""Tracklets whose identity is certain by continuity alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.frame_tracks import FrameTracks
from ictrack.tracking.overlap import box_iou, mask_iou

# Factor by which the area of one object may change from frame to frame, and by which a tracklet may be larger than
# most others before it counts as several objects that touch.
MAX_GROWTH = 1.6
MAX_SIZE = 1.5
# Where an object also overlaps others of the next frame: the smallest IoU of a certain continuation, and how many times
# that of any other it must be.
MIN_IOU, MIN_LEAD = 0.3, 4.0


@dataclass(frozen=True)
class Tracklet:
    """One object that is certainly the same in all its frames.

    Attributes:
        frames: (T,) int64 frame indices, ascending; consecutive unless thinned, or joined by a person.
        rows: (T,) int64 row of the object among its frame's detections.
    """

    frames: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def is_unbroken(self) -> bool:
        """Whether its frames are evenly spaced: there is no gap over which a person joined it."""
        return len(self) < 3 or bool(np.ptp(np.diff(self.frames)) == 0)

    def part(self, start: int, end: int) -> Tracklet:
        """Positions ``start`` to ``end`` - 1 of it."""
        return Tracklet(self.frames[start:end], self.rows[start:end])

    def thinned(self, every: int) -> Tracklet:
        """Its frames whose index is a multiple of ``every``."""
        kept = self.frames % every == 0
        return Tracklet(self.frames[kept], self.rows[kept])

    def position(self, frame: int) -> int:
        """Position of the first of its frames from ``frame`` on."""
        return int(np.searchsorted(self.frames, frame))


def certain_tracklets(frames: Sequence[FrameTracks], min_length: int, *, may_merge: bool = True) -> list[Tracklet]:
    """Tracklets of single objects, in the order in which they begin.

    Two detections of neighboring frames are one object if they overlap and their areas are alike, and either overlaps
    no other of the other's frame, or if objects that touch stay apart, far less. Where objects become one region, it
    overlaps two, and the tracklets end. Tracklets far larger than most may be several objects that touch all along.

    Args:
        frames: Detections of the video, with masks or else by their boxes; missing frames have none.
        min_length: Smallest number of frames.
        may_merge: Whether objects that touch are one detection: tracklets far larger than most are then left out.
    """
    areas = {frame.index: _areas(frame) for frame in frames}
    tracklets: list[Tracklet] = []
    running: dict[int, tuple[list[int], list[int]]] = {}  # row in the last frame -> frames, rows
    before: FrameTracks | None = None
    for frame in frames:
        links: dict[int, int] = {}
        if before is not None and before.index + 1 == frame.index:
            links = _links(before, frame, areas[before.index], areas[frame.index], may_merge)
        going: dict[int, tuple[list[int], list[int]]] = {}
        for row, tracklet in running.items():
            if row in links:
                going[links[row]] = tracklet
            else:
                tracklets.append(_finished(tracklet))
        for row in range(len(frame)):
            in_frames, rows = going.setdefault(row, ([], []))
            in_frames.append(frame.index)
            rows.append(row)
        running, before = going, frame
    tracklets += map(_finished, running.values())
    if may_merge and tracklets:
        sizes = np.array([np.median([areas[t][row] for t, row in zip(x.frames, x.rows)]) for x in tracklets])
        usual = np.median(np.repeat(sizes, [len(x) for x in tracklets]))
        tracklets = [x for x, size in zip(tracklets, sizes) if size <= MAX_SIZE * usual]
    return sorted((x for x in tracklets if len(x) >= min_length), key=lambda x: (x.frames[0], x.rows[0]))


def _links(
    before: FrameTracks, after: FrameTracks, sizes: np.ndarray, sizes_after: np.ndarray, may_merge: bool
) -> dict[int, int]:
    """Row of the frame before -> row of the frame after, for certain continuations."""
    if not len(before) or not len(after):
        return {}
    iou = _iou(before, after)  # (N, M)
    rivals = np.maximum(_largest_other(iou), _largest_other(iou.T).T)
    certain = (iou > 0) & (rivals == 0)
    if not may_merge:
        certain |= (iou >= MIN_IOU) & (iou >= MIN_LEAD * rivals)
    rows, columns = np.nonzero(certain)
    growth = sizes_after[columns] / np.maximum(sizes[rows], 1)
    alike = (growth <= MAX_GROWTH) & (growth >= 1 / MAX_GROWTH)
    return dict(zip(rows[alike].tolist(), columns[alike].tolist()))


def _iou(before: FrameTracks, after: FrameTracks) -> np.ndarray:
    if before.rles is not None and after.rles is not None:
        return mask_iou(before.rles, after.rles)
    return box_iou(before.boxes, after.boxes)


def _largest_other(values: np.ndarray) -> np.ndarray:
    """(N, M) largest value in the same row, of all but the element itself."""
    if values.shape[1] < 2:
        return np.zeros_like(values)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    first, second = (np.take_along_axis(values, order[:, [place]], axis=1) for place in (0, 1))
    return np.where(np.arange(values.shape[1]) == order[:, :1], second, first)


def _areas(frame: FrameTracks) -> np.ndarray:
    if frame.rles is not None:
        return np.asarray(mask_util.area(list(frame.rles)), dtype=float) if len(frame) else np.zeros(0)
    return (frame.boxes[:, 2:] - frame.boxes[:, :2]).prod(axis=1)


def _finished(tracklet: tuple[list[int], list[int]]) -> Tracklet:
    return Tracklet(*(np.array(x, dtype=np.int64) for x in tracklet))
