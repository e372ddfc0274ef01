"""Tracklets whose identity is certain by continuity alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.frame_tracks import FrameTracks

# Factor by which the area of one object may change from frame to frame, and by which a tracklet may be larger than
# most others before it counts as several objects that touch.
MAX_GROWTH = 1.6
MAX_SIZE = 1.5


@dataclass(frozen=True)
class Tracklet:
    """One object in consecutive frames.

    Attributes:
        frames: (T,) int64 frame indices, ascending; consecutive unless thinned.
        rows: (T,) int64 row of the object among its frame's detections.
    """

    frames: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.frames)

    def meets(self, other: Tracklet) -> bool:
        """Whether both share a frame, so that they are certainly different objects."""
        return bool(self.frames[0] <= other.frames[-1] and other.frames[0] <= self.frames[-1])

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


def certain_tracklets(frames: Sequence[FrameTracks], min_length: int) -> list[Tracklet]:
    """Tracklets of single objects, in the order in which they begin.

    Two detections of neighboring frames are one object if each overlaps no other of the other's frame and their areas
    are alike. Where objects touch, one region overlaps two, and the tracklets end. Tracklets far larger than most are
    several objects that touch all along, and are left out.

    Args:
        frames: Detections of the video, with masks or else by their boxes; missing frames have none.
        min_length: Smallest number of frames.
    """
    areas = {frame.index: _areas(frame) for frame in frames}
    tracklets: list[Tracklet] = []
    running: dict[int, tuple[list[int], list[int]]] = {}  # row in the last frame -> frames, rows
    before: FrameTracks | None = None
    for frame in frames:
        links: dict[int, int] = {}
        if before is not None and before.index + 1 == frame.index:
            links = _links(before, frame, areas[before.index], areas[frame.index])
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
    if not tracklets:
        return []
    sizes = np.array([np.median([areas[t][row] for t, row in zip(x.frames, x.rows)]) for x in tracklets])
    lengths = [len(x) for x in tracklets]
    usual = np.median(np.repeat(sizes, lengths))
    kept = [x for x, size in zip(tracklets, sizes) if size <= MAX_SIZE * usual and len(x) >= min_length]
    return sorted(kept, key=lambda x: (x.frames[0], x.rows[0]))


def _links(before: FrameTracks, after: FrameTracks, sizes: np.ndarray, sizes_after: np.ndarray) -> dict[int, int]:
    """Row of the frame before -> row of the frame after, for certain continuations."""
    if not len(before) or not len(after):
        return {}
    overlaps = _overlaps(before, after)  # (N, M)
    alone = (overlaps.sum(axis=1) == 1)[:, None] & (overlaps.sum(axis=0) == 1) & overlaps
    rows, columns = np.nonzero(alone)
    growth = sizes_after[columns] / np.maximum(sizes[rows], 1)
    alike = (growth <= MAX_GROWTH) & (growth >= 1 / MAX_GROWTH)
    return dict(zip(rows[alike].tolist(), columns[alike].tolist()))


def _overlaps(before: FrameTracks, after: FrameTracks) -> np.ndarray:
    first, second = (
        list(x.rles) if x.rles is not None else np.concatenate([x.boxes[:, :2], x.boxes[:, 2:] - x.boxes[:, :2]], 1)
        for x in (before, after)
    )
    iou = mask_util.iou(first, second, [0] * len(second))
    return np.asarray(iou).reshape(len(first), len(second)) > 0


def _areas(frame: FrameTracks) -> np.ndarray:
    if frame.rles is not None:
        return np.asarray(mask_util.area(list(frame.rles)), dtype=float) if len(frame) else np.zeros(0)
    return (frame.boxes[:, 2:] - frame.boxes[:, :2]).prod(axis=1)


def _finished(tracklet: tuple[list[int], list[int]]) -> Tracklet:
    return Tracklet(*(np.array(x, dtype=np.int64) for x in tracklet))
