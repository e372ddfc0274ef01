"""Synthetic ground truth and predictions in YouTube-VIS format, of any size, for speed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.evaluation.submission import ResultsWriter
from ictrack.structures.rle import encode_runs

# Errors of the better and the worse copy of a ground-truth track, as shares of its size.
_SPREADS = (0.05, 0.25)


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
class _Blobs:
    """N wobbly ellipses over T frames: ``box`` (N, T, 4) centre x, y and half width, height; ``phase`` (N,)."""

    box: np.ndarray
    phase: np.ndarray


def write_youtube_vis_case(case: YouTubeVISCase, folder: Path, seed: int = 0) -> tuple[Path, Path]:
    """Write ``gt.json`` and ``results.json``; returns their paths. The same seed gives the same bytes.

    The files can be read by every tool: ground truth has run lists, ``height`` and ``width`` in each annotation, a
    folder name a video and annotation ids from 1; results are compressed tracks of full length without ids.
    """
    rng = np.random.default_rng(seed)
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    with ResultsWriter(folder / "results.json") as writer:
        for video_id in range(1, case.num_videos + 1):
            files = [f"video{video_id:05d}/{frame:05d}.jpg" for frame in range(case.num_frames)]
            videos.append(
                {"id": video_id, "height": case.height, "width": case.width, "length": len(files), "file_names": files}
            )
            present = rng.choice(case.num_categories, min(3, case.num_categories), replace=False) + 1
            gt_categories = rng.choice(present, case.num_gt)
            gt = _moving_blobs(rng, case.num_gt, case)
            for category, runs in zip(gt_categories.tolist(), _runs(gt, rng, case, absent=0.1)):
                annotations.append(_annotation(len(annotations) + 1, video_id, category, runs, case))
            categories, scores, found = _results(rng, gt, gt_categories, present, case)
            writer.write(
                {
                    "video_id": video_id,
                    "category_id": category,
                    "score": score,
                    "segmentations": _compressed(runs, case),
                }
                for category, score, runs in zip(
                    categories.tolist(), scores.tolist(), _runs(found, rng, case, absent=0.1)
                )
            )
    names = [{"id": i, "name": f"category{i}"} for i in range(1, case.num_categories + 1)]
    (folder / "gt.json").write_text(json.dumps({"videos": videos, "categories": names, "annotations": annotations}))
    return folder / "gt.json", folder / "results.json"


def _moving_blobs(rng: np.random.Generator, count: int, case: YouTubeVISCase) -> _Blobs:
    frames = np.arange(case.num_frames)
    size = np.array([case.width, case.height])
    start, speed = rng.uniform(0, 1, (count, 1, 2)) * size, rng.normal(0, 0.01, (count, 1, 2)) * size
    half = np.exp(rng.uniform(np.log(0.02), np.log(0.2), (count, 1, 1))) * case.height
    growth = np.exp(rng.normal(0, 0.02, (count, 1, 1)) * frames[None, :, None])
    aspect = np.exp(rng.uniform(-0.5, 0.5, (count, 1, 1)))
    sides = np.concatenate([half * aspect, half / aspect], axis=2) * np.clip(growth, 0.5, 2)
    # A blob that would leave the frame comes back on the other side.
    centre = (start + speed * frames[None, :, None]) % size
    return _Blobs(np.concatenate([centre, sides], axis=2), rng.uniform(0, 6, count))


def _results(
    rng: np.random.Generator, gt: _Blobs, gt_categories: np.ndarray, present: np.ndarray, case: YouTubeVISCase
) -> tuple[np.ndarray, np.ndarray, _Blobs]:
    """Categories, scores and blobs of predictions: a better and a worse copy of each true track, then false ones."""
    others = _moving_blobs(rng, case.num_pred, case)
    box, phase = others.box, others.phase
    categories = rng.choice(present, case.num_pred)
    scores = rng.uniform(0.01, 0.6, case.num_pred)
    for row in range(min(len(_SPREADS) * case.num_gt, case.num_pred)):
        source = row % case.num_gt
        box[row] = gt.box[source]
        half = box[row, :, 2:].copy()
        spread = _SPREADS[min(row // case.num_gt, len(_SPREADS) - 1)]
        box[row, :, :2] += half * rng.normal(0, spread, half.shape)
        box[row, :, 2:] *= np.exp(rng.normal(0, spread, half.shape))
        # From some frame on, it follows another object: an identity switch.
        if rng.random() < 0.2 and case.num_gt > 1:
            switch = int(rng.integers(case.num_frames))
            box[row, switch:] = gt.box[(source + 1) % case.num_gt, switch:]
        categories[row] = gt_categories[source] if rng.random() < 0.9 else rng.choice(present)
        phase[row] = gt.phase[source]
        scores[row] = rng.uniform(0.3, 1.0)
    return categories, scores, _Blobs(box, phase)


def _runs(
    blobs: _Blobs, rng: np.random.Generator, case: YouTubeVISCase, absent: float
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


def _compressed(runs: list[np.ndarray | None], case: YouTubeVISCase) -> list[dict[str, Any] | None]:
    visible = [counts for counts in runs if counts is not None]
    if not visible:
        return [None] * len(runs)
    texts = iter(encode_runs(np.concatenate(visible), np.array([len(counts) for counts in visible])))
    size = [case.height, case.width]
    return [None if counts is None else {"size": size, "counts": next(texts).decode("ascii")} for counts in runs]


def _annotation(
    annotation_id: int, video_id: int, category: int, runs: list[np.ndarray | None], case: YouTubeVISCase
) -> dict[str, Any]:
    return {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category,
        "iscrowd": 0,
        "height": case.height,
        "width": case.width,
        "length": len(runs),
        "segmentations": [
            None if counts is None else {"size": [case.height, case.width], "counts": counts.tolist()}
            for counts in runs
        ],
        "bboxes": [None if counts is None else _bounding_box(counts, case.height) for counts in runs],
        "areas": [None if counts is None else int(counts[1::2].sum()) for counts in runs],
    }


def _bounding_box(counts: np.ndarray, height: int) -> list[int]:
    """[x, y, width, height] in pixels."""
    edges = np.cumsum(counts[:-1]).reshape(-1, 2)
    left, right = int(edges[0, 0] // height), int(edges[-1, 1] // height)
    top, bottom = int((edges[:, 0] % height).min()), int((edges[:, 1] % height).max())
    return [left, top, right - left + 1, bottom - top]
