"""Synthetic ground truth and predictions in YouTube-VIS format, of any size, for speed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ictrack.evaluation.submission import ResultsWriter
from ictrack.structures.rle import encode_runs

from .blobs import Blobs, YouTubeVISCase, bounding_box, moving_blobs, runs_of

# Errors of the better and the worse copy of a ground-truth track, as shares of its size.
_SPREADS = (0.05, 0.25)


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
            gt = moving_blobs(rng, case.num_gt, case)
            for category, runs in zip(gt_categories.tolist(), runs_of(gt, rng, case, absent=0.1)):
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
                    categories.tolist(), scores.tolist(), runs_of(found, rng, case, absent=0.1)
                )
            )
    names = [{"id": i, "name": f"category{i}"} for i in range(1, case.num_categories + 1)]
    (folder / "gt.json").write_text(json.dumps({"videos": videos, "categories": names, "annotations": annotations}))
    return folder / "gt.json", folder / "results.json"


def _results(
    rng: np.random.Generator, gt: Blobs, gt_categories: np.ndarray, present: np.ndarray, case: YouTubeVISCase
) -> tuple[np.ndarray, np.ndarray, Blobs]:
    """Categories, scores and blobs of predictions: a better and a worse copy of each true track, then false ones."""
    others = moving_blobs(rng, case.num_pred, case)
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
    return categories, scores, Blobs(box, phase)


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
        "bboxes": [None if counts is None else bounding_box(counts, case.height) for counts in runs],
        "areas": [None if counts is None else int(counts[1::2].sum()) for counts in runs],
    }
