"""A person's corrections, as certain knowledge of tracklets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_edits import Detection, Edit
from ictrack.tracking.overlap import box_iou

from .certain_tracklets import Tracklet

# Smallest IoU of a corrected box with a detection, for both to be one; files round coordinates.
_MIN_IOU = 0.8


class CorrectionError(ValueError):
    """Corrections that contradict the footage or each other; the message has the frame."""


def apply_corrections(
    tracklets: Sequence[Tracklet], frames: Sequence[FrameTracks], edits: Sequence[Edit]
) -> tuple[list[Tracklet], list[tuple[int, int]], int]:
    """Tracklets after corrections: those that are one object are joined to one tracklet, with gaps.

    Args:
        tracklets: Certain tracklets.
        frames: Detections of the video.
        edits: Corrections.

    Returns:
        Tracklets, in the order in which they begin; pairs of them that are certainly different; and the number of
        corrected pairs that are of no tracklet, such as detections that touch others.

    Raises:
        CorrectionError: two tracklets of one frame are said to be one object, or the same ones also to be two.
    """
    by_index = {frame.index: frame for frame in frames}
    owners = {
        (frame, row): number
        for number, x in enumerate(tracklets)
        for frame, row in zip(x.frames.tolist(), x.rows.tolist())
    }
    roots = list(range(len(tracklets)))
    unknown = 0

    def root(number: int) -> int:
        while roots[number] != number:
            number = roots[number]
        return number

    def find(detection: Detection) -> int | None:
        row = _row(by_index.get(detection.frame), detection)
        return None if row is None else owners.get((detection.frame, row))

    for edit in edits:
        for one, two in edit.same:
            first, second = find(one), find(two)
            if first is None or second is None:
                unknown += 1
            else:
                roots[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for number in range(len(tracklets)):
        groups.setdefault(root(number), []).append(number)
    joined = {key: _join([tracklets[number] for number in members]) for key, members in groups.items()}
    order = sorted(joined, key=lambda key: (joined[key].frames[0], joined[key].rows[0]))
    places = {key: place for place, key in enumerate(order)}
    different = []
    for edit in edits:
        for one, two in edit.different:
            first, second = find(one), find(two)
            if first is None or second is None:
                unknown += 1
                continue
            pair = places[root(first)], places[root(second)]
            if pair[0] == pair[1]:
                raise CorrectionError(
                    f"the objects of frames {one.frame} and {two.frame} are corrected to be one, and to be two"
                )
            different.append(pair)
    return [joined[key] for key in order], different, unknown


def _row(frame: FrameTracks | None, detection: Detection) -> int | None:
    """Row of a frame's detection with this box."""
    if frame is None or not len(frame):
        return None
    overlaps = box_iou(np.array([detection.box]), frame.boxes)[0]
    best = int(overlaps.argmax())
    return best if overlaps[best] >= _MIN_IOU else None


def _join(parts: Sequence[Tracklet]) -> Tracklet:
    if len(parts) == 1:
        return parts[0]
    frames, rows = (np.concatenate([getattr(x, name) for x in parts]) for name in ("frames", "rows"))
    order = np.argsort(frames, kind="stable")
    twice = frames[order][1:][np.diff(frames[order]) == 0]
    if len(twice):
        raise CorrectionError(f"two objects of frame {twice[0]} are corrected to be one")
    return Tracklet(frames[order], rows[order])
