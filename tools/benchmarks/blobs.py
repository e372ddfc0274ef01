"""Masks of wobbly ellipses that move through a video, as run lengths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class YouTubeVISCase:
    """Size of a case.

    Attributes:
        num_videos, num_frames: Number of videos, and of frames of each.
        num_gt, num_pred: Number of ground-truth and predicted tracks of each video.
        num_categories: Number of categories, of which a video's ground truth has at most three.
        height, width: Size of the frames in pixels.
    """

    num_videos: int
    num_frames: int
    num_gt: int
    num_pred: int
    num_categories: int = 40
    height: int = 720
    width: int = 1280


@dataclass(frozen=True)
class Blobs:
    """N wobbly ellipses over T frames: ``box`` (N, T, 4) center x, y and half width, height; ``phase`` (N,)."""

    box: np.ndarray
    phase: np.ndarray


def moving_blobs(rng: np.random.Generator, count: int, case: YouTubeVISCase) -> Blobs:
    frames = np.arange(case.num_frames)
    size = np.array([case.width, case.height])
    start, speed = rng.uniform(0, 1, (count, 1, 2)) * size, rng.normal(0, 0.01, (count, 1, 2)) * size
    half = np.exp(rng.uniform(np.log(0.02), np.log(0.2), (count, 1, 1))) * case.height
    growth = np.exp(rng.normal(0, 0.02, (count, 1, 1)) * frames[None, :, None])
    aspect = np.exp(rng.uniform(-0.5, 0.5, (count, 1, 1)))
    sides = np.concatenate([half * aspect, half / aspect], axis=2) * np.clip(growth, 0.5, 2)
    # A blob that would leave the frame comes back on the other side.
    center = (start + speed * frames[None, :, None]) % size
    return Blobs(np.concatenate([center, sides], axis=2), rng.uniform(0, 6, count))


def runs_of(
    blobs: Blobs, rng: np.random.Generator, case: YouTubeVISCase, absent: float
) -> Iterator[list[np.ndarray | None]]:
    """Run lengths of each blob's mask in each frame, None where it is absent or has no pixels."""
    hidden = rng.random(blobs.box.shape[:2]) < absent
    for box, phase, is_hidden in zip(blobs.box, blobs.phase, hidden):
        yield [
            None if away else _blob_runs(one, phase + t / 9, case) for t, (one, away) in enumerate(zip(box, is_hidden))
        ]


def _blob_runs(box: np.ndarray, phase: float, case: YouTubeVISCase) -> np.ndarray | None:
    """Column-major run lengths of a wobbly ellipse, one run of ones a column; None if it has no pixels."""
    x, y, half_width, half_height = box
    columns = np.arange(max(0, int(x - half_width)), min(case.width, int(x + half_width)))
    extent = np.sqrt(np.maximum(0, 1 - ((columns + 0.5 - x) / half_width) ** 2)) * half_height
    top = y - extent * (1 + 0.2 * np.sin(columns / 7 + phase))
    bottom = y + extent * (1 + 0.2 * np.cos(columns / 5 + phase))
    # Never the first or last row: runs of neighboring columns do not touch.
    top = np.clip(top, 1, case.height - 1).astype(np.int64)
    bottom = np.clip(bottom, 1, case.height - 1).astype(np.int64)
    columns, top, bottom = (side[bottom > top] for side in (columns, top, bottom))
    if len(columns) == 0:
        return None
    edges = np.stack([columns * case.height + top, columns * case.height + bottom], axis=1).ravel()
    return np.diff(np.concatenate([[0], edges, [case.height * case.width]]))


def bounding_box(counts: np.ndarray, height: int) -> list[int]:
    """[x, y, width, height] in pixels."""
    edges = np.cumsum(counts[:-1]).reshape(-1, 2)
    left, right = int(edges[0, 0] // height), int(edges[-1, 1] // height)
    top, bottom = int((edges[:, 0] % height).min()), int((edges[:, 1] % height).max())
    return [left, top, right - left + 1, bottom - top]
