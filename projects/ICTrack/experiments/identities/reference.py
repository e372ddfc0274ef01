"""Identities by the trajectories of another program, as a reference: idtracker.ai's arrays.

Naming convention:
    numbers: the compared identity of each of T tracklets in each of its frames, (T_i,) int64, -1 for none
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import Tracklet
from ictrack.structures.frame_tracks import FrameTracks

# Largest distance in sides of an object between its center and the reference's.
_NEAR = 1.0
# Largest sum of differences in pixels between the corners of one detection's boxes in two runs of a detector.
_SAME_BOX = 1.0


class TrajectoryError(ValueError):
    """A file without trajectories; the message has its name."""


@dataclass(frozen=True)
class Passages:
    """Ways of objects from the end of a certain tracklet to the start of their next: over crossings, for the most.

    Attributes:
        total: Their number.
        kept: Number of those with one identity before and after.
        switched: Number of those with different ones. In the rest, one of the tracklets has none.
    """

    total: int
    kept: int
    switched: int


def read_trajectories(path: str | os.PathLike) -> np.ndarray:
    """(F, N, 2) float64 x, y of N objects in F frames, NaN where one is not seen.

    Args:
        path: ``.npy`` of that shape, as ``ictrack identify`` writes it, or ``.csv`` of idtracker.ai: a column of
            seconds and then x1, y1, x2, y2, ...

    Raises:
        TrajectoryError: If the file holds no trajectories.
    """
    path = Path(path)
    try:
        if path.suffix == ".npy":
            places = np.load(path, allow_pickle=False).astype(float)
        else:
            table = np.genfromtxt(path, delimiter=",", names=True)
            names = [name for name in table.dtype.names or () if name[:1] in "xy" and name[1:].isdigit()]
            places = np.stack([table[name] for name in names], axis=1).reshape(len(table), -1, 2)
    except (ValueError, OSError, TypeError) as error:
        raise TrajectoryError(f"{path}: holds no trajectories ({error})") from error
    if places.ndim != 3 or places.shape[2] != 2:
        raise TrajectoryError(f"{path}: holds an array of {places.shape}, not (frames, objects, 2)")
    return places


def in_every_frame(tracklets: Sequence[Tracklet], identities: np.ndarray) -> list[np.ndarray]:
    """Numbers of tracklets that have one identity (T,) each."""
    return [np.full(len(x), identity) for x, identity in zip(tracklets, identities.tolist())]


def of_tracks(footage: WholeVideo, tracklets: Sequence[Tracklet], tracks: Sequence[FrameTracks]) -> list[np.ndarray]:
    """Numbers of tracklets by the identities of their detections in a tracker's frames."""
    found = {frame.index: frame for frame in tracks}
    boxes = {frame.index: frame.boxes for frame in footage.frames}

    def number(index: int, row: int) -> int:
        frame = found.get(index)
        if frame is None or frame.ids is None or not len(frame):
            return -1
        distances = np.abs(frame.boxes - boxes[index][row]).sum(axis=1)
        nearest = int(distances.argmin())
        return int(frame.ids[nearest]) if distances[nearest] < _SAME_BOX else -1

    return [np.array([number(*place) for place in zip(x.frames.tolist(), x.rows.tolist())]) for x in tracklets]


def reference_objects(footage: WholeVideo, tracklets: Sequence[Tracklet], reference: np.ndarray) -> list[np.ndarray]:
    """(T_i,) int64 object of the reference (F, N, 2) at the place of each tracklet in each of its frames, -1 for none;
    one to one in each frame."""
    objects = [np.full(len(x), -1, dtype=np.int64) for x in tracklets]
    places: dict[int, list[tuple[int, int, np.ndarray]]] = {}  # frame -> tracklet, position, center
    for number, tracklet in enumerate(tracklets):
        for position, (frame, center) in enumerate(zip(tracklet.frames.tolist(), footage.centers_of(tracklet))):
            places.setdefault(frame, []).append((number, position, center))
    for frame, there in places.items():
        seen = np.flatnonzero(np.isfinite(reference[frame]).all(axis=1)) if frame < len(reference) else np.zeros(0, int)
        centers = np.stack([center for _, _, center in there])
        distances = np.linalg.norm(reference[frame][seen][:, None] - centers, axis=2) if len(seen) else np.zeros((0, 0))
        for row, column in zip(*linear_sum_assignment(distances)):
            if distances[row, column] <= _NEAR * footage.size:
                number, position, _ = there[column]
                objects[number][position] = seen[row]
    return objects


def agreement(
    tracklets: Sequence[Tracklet], numbers: Sequence[np.ndarray], objects: Sequence[np.ndarray], num_objects: int
) -> tuple[float, int]:
    """Share of the detections with the reference's identity, under the best numbering, and their number.

    Counted are frames in which both have all objects, the tracklets' ones at the reference's places.

    Args:
        tracklets, numbers: What is compared.
        objects: See :func:`reference_objects`.
        num_objects: Number of objects of the reference.
    """
    frames, number, of = (
        np.concatenate([np.zeros(0, int), *x]) for x in ([x.frames for x in tracklets], numbers, objects)
    )
    matched = np.bincount(frames[of >= 0], minlength=frames.max(initial=-1) + 1)
    counted = (of >= 0) & (matched[frames] == num_objects)
    pairs = np.zeros((num_objects, number.max(initial=-1) + 2), dtype=np.int64)  # the last column is for open ones
    np.add.at(pairs, (of[counted], number[counted]), 1)
    total = int(counted.sum())
    rows, columns = linear_sum_assignment(pairs[:, :-1], maximize=True)
    return (float(pairs[rows, columns].sum() / total) if total else float("nan")), total


def passages(tracklets: Sequence[Tracklet], numbers: Sequence[np.ndarray], objects: Sequence[np.ndarray]) -> Passages:
    """Identities before and after each passage: of a tracklet, the number, and the object, of most of its frames.

    Args:
        tracklets, numbers: What is compared.
        objects: See :func:`reference_objects`.
    """
    of_object: dict[int, list[int]] = {}
    for index in np.argsort([x.frames[0] for x in tracklets], kind="stable").tolist():
        known = objects[index][objects[index] >= 0]
        if len(known):
            of_object.setdefault(_most(known), []).append(index)
    total = kept = switched = 0
    for indices in of_object.values():
        for before, after in zip(indices, indices[1:]):
            if tracklets[after].frames[0] <= tracklets[before].frames[-1]:
                continue  # the reference has one object at two places
            one, other = _most(numbers[before]), _most(numbers[after])
            total += 1
            kept += one == other >= 0
            switched += min(one, other) >= 0 and one != other
    return Passages(total, kept, switched)


def continuity(objects: Sequence[np.ndarray]) -> tuple[float, int]:
    """Share of the detections of certain tracklets that have the object of most of their tracklet's, and their number:
    a test of the reference itself, since a tracklet is one object."""
    known = [x[x >= 0] for x in objects if (x >= 0).any()]
    total = sum(map(len, known))
    return (sum(int((x == _most(x)).sum()) for x in known) / total if total else float("nan")), total


def _most(values: np.ndarray) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])
