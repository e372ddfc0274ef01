"""Edits of a video's identities, and the pairs of detections that they say are the same object or different ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .frame_tracks import FrameTracks


class TrackEditError(ValueError):
    """An edit that the tracks do not allow; the message has the identity or the frame."""


@dataclass(frozen=True)
class Detection:
    """One detection of an edit: 0-based frame index, and box x0, y0, x1, y1 in continuous pixels."""

    frame: int
    box: tuple[float, float, float, float]


Pair = tuple[Detection, Detection]


@dataclass(frozen=True)
class Edit:
    """What a person said of two identities.

    Attributes:
        name: "swap", "join" or "split".
        ids: The two identities; of a split, the old one and the new one.
        start: First frame that a swap or a split changes; None for a join.
        same: Pairs of detections that are certainly of one object.
        different: Pairs of detections that are certainly of two objects.
    """

    name: str
    ids: tuple[int, int]
    start: int | None
    same: tuple[Pair, ...]
    different: tuple[Pair, ...]


def swap(frames: Sequence[FrameTracks], first: int, second: int, start: int) -> tuple[list[FrameTracks], Edit]:
    """Exchange of two identities from a frame on.

    Args:
        frames: Frames in ascending order, with identities.
        first, second: Identities.
        start: Index of the first frame that changes.

    Returns:
        The frames after the edit, and what it says: the last detection of each before ``start`` is the same object as
        the first one that had the other's number from there on, and another than the first one that had its own.

    Raises:
        TrackEditError: an identity is nowhere in the video, the two are one, or neither is there from ``start`` on.
    """
    _check_two(first, second)
    tracks = [_detections(frames, track_id) for track_id in (first, second)]
    before = [_last(track, start) for track in tracks]
    after = [_first(track, start) for track in tracks]
    if after == [None, None]:
        raise TrackEditError(f"neither identity {first} nor {second} is there from frame {start} on")
    same = _pairs((before[0], after[1]), (before[1], after[0]))
    different = _pairs((before[0], after[0]), (before[1], after[1]))

    def exchanged(ids: np.ndarray) -> np.ndarray:
        return np.where(ids == first, second, np.where(ids == second, first, ids))

    return _changed(frames, start, exchanged), Edit("swap", (first, second), start, same, different)


def join(frames: Sequence[FrameTracks], first: int, second: int) -> tuple[list[FrameTracks], Edit]:
    """One identity of two, with the number of the first one named.

    Args:
        frames: Frames in ascending order, with identities.
        first, second: Identities, in any order in time.

    Returns:
        The frames after the edit, and what it says: wherever a detection of the one follows upon one of the other,
        both are the same object.

    Raises:
        TrackEditError: an identity is nowhere in the video, the two are one, or both are in one frame.
    """
    _check_two(first, second)
    tracks = [_detections(frames, track_id) for track_id in (first, second)]
    both = {detection.frame for detection in tracks[0]} & {detection.frame for detection in tracks[1]}
    if both:
        raise TrackEditError(f"identities {first} and {second} are both in frame {min(both)}: they are two objects")
    in_time = sorted(
        ((detection, number) for number, track in enumerate(tracks) for detection in track),
        key=lambda item: item[0].frame,
    )
    same = tuple((x, y) for (x, of_x), (y, of_y) in zip(in_time, in_time[1:]) if of_x != of_y)

    def joined(ids: np.ndarray) -> np.ndarray:
        return np.where(ids == second, first, ids)

    return _changed(frames, 0, joined), Edit("join", (first, second), None, same, ())


def split(frames: Sequence[FrameTracks], track_id: int, start: int) -> tuple[list[FrameTracks], Edit]:
    """Two identities of one: from a frame on, it has the number after the video's largest.

    Args:
        frames: Frames in ascending order, with identities.
        track_id: Identity.
        start: Index of the first frame that changes.

    Returns:
        The frames after the edit, and what it says: the last detection before ``start`` and the first one from there on
        are different objects.

    Raises:
        TrackEditError: the identity is not there before ``start``, or not from there on.
    """
    track = _detections(frames, track_id)
    last, first = _last(track, start), _first(track, start)
    if last is None or first is None:
        side = "before frame" if last is None else "from frame"
        raise TrackEditError(f"identity {track_id} is not there {side} {start}{'' if last is None else ' on'}")
    new_id = 1 + max(int(frame.ids.max(initial=-1)) for frame in frames if frame.ids is not None)

    def renamed(ids: np.ndarray) -> np.ndarray:
        return np.where(ids == track_id, new_id, ids)

    return _changed(frames, start, renamed), Edit("split", (track_id, new_id), start, (), ((last, first),))


def _check_two(first: int, second: int) -> None:
    if first == second:
        raise TrackEditError(f"identity {first} is named twice")


def _detections(frames: Sequence[FrameTracks], track_id: int) -> list[Detection]:
    """Detections of an identity in ascending order of frames; at least one."""
    found = []
    for frame in frames:
        for row in [] if frame.ids is None else np.flatnonzero(frame.ids == track_id).tolist():
            x0, y0, x1, y1 = frame.boxes[row].tolist()
            found.append(Detection(frame.index, (x0, y0, x1, y1)))
    if not found:
        raise TrackEditError(f"identity {track_id} is in no frame")
    return found


def _last(track: Sequence[Detection], start: int) -> Detection | None:
    """Last detection before a frame."""
    return next((detection for detection in reversed(track) if detection.frame < start), None)


def _first(track: Sequence[Detection], start: int) -> Detection | None:
    """First detection from a frame on."""
    return next((detection for detection in track if detection.frame >= start), None)


def _pairs(*candidates: tuple[Detection | None, Detection | None]) -> tuple[Pair, ...]:
    """Pairs of which both detections are there."""
    return tuple((x, y) for x, y in candidates if x is not None and y is not None)


def _changed(
    frames: Sequence[FrameTracks], start: int, rename: Callable[[np.ndarray], np.ndarray]
) -> list[FrameTracks]:
    """Frames with other identities from ``start`` on."""
    return [
        frame if frame.ids is None or frame.index < start else replace(frame, ids=rename(frame.ids)) for frame in frames
    ]
