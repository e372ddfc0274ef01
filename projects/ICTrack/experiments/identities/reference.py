"""Identities by the trajectories of another program, as a reference: idtracker.ai's arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import Tracklet

# Largest distance in sides of an object between its center and the reference's.
_NEAR = 1.0


class TrajectoryError(ValueError):
    """A file without trajectories; the message has its name."""


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


def agreement(
    footage: WholeVideo, tracklets: list[Tracklet], identities: np.ndarray, reference: np.ndarray
) -> tuple[float, int]:
    """Share of the detections with the reference's identity, under the best numbering, and their number.

    Counted are frames in which both have all objects, the tracklets' ones at the reference's places.
    """
    number = reference.shape[1]
    found: dict[int, list[tuple[int, np.ndarray]]] = {}
    for tracklet, identity in zip(tracklets, identities.tolist()):
        for frame, center in zip(tracklet.frames.tolist(), footage.centers_of(tracklet)):
            found.setdefault(frame, []).append((identity, center))
    pairs = np.zeros((number, identities.max(initial=-1) + 2), dtype=np.int64)  # the last column is for open ones
    for frame, objects in found.items():
        if len(objects) != number or frame >= len(reference) or not np.isfinite(reference[frame]).all():
            continue
        centers = np.stack([center for _, center in objects])
        distances = np.linalg.norm(reference[frame][:, None] - centers, axis=2)
        rows, columns = linear_sum_assignment(distances)
        if distances[rows, columns].max() > _NEAR * footage.size:
            continue
        for row, column in zip(rows, columns):
            pairs[row, objects[column][0]] += 1
    total = int(pairs.sum())
    rows, columns = linear_sum_assignment(pairs[:, :-1], maximize=True)
    return (float(pairs[rows, columns].sum() / total) if total else float("nan")), total
