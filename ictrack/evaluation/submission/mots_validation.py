"""Offline check of MOTS text files for problems that the servers of MOTSChallenge and KITTI MOTS refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.mots_text import IGNORE_CLASS, MOTSObject
from ictrack.structures.youtube_vis_json import normalize_segmentations

from .archive import Archive, Folder, open_submission
from .mots import parse_mots, read_mots, text_files
from .problem import Problem, error, read_error, warning


def validate_mots(
    gt_path: str | Path, pred_path: str | Path, num_frames: Mapping[str, int] | None = None
) -> Iterator[Problem]:
    """Problems of a folder or zip of MOTS text files. No content raises an error.

    Args:
        gt_path: Folder or zip of the data set's files, a ``.txt`` a sequence.
        pred_path: File or folder to submit.
        num_frames: Number of frames of each sequence by its name, which the ground truth does not tell. Without it,
            frames are only checked against the first one of the ground truth's numbering.
    """
    try:
        gt = read_mots(gt_path)
        with open_submission(pred_path) as results:
            files = text_files(results)
            for name in gt:
                if name not in files:
                    yield error(str(pred_path), f"{name}.txt is missing")
            first_frame = min((item.frame for items in gt.values() for item in items), default=0)
            # Frames count from 0 or from 1; if the first ones are empty, both are accepted.
            first_frame = first_frame if first_frame <= 1 else 0
            for name, member in sorted(files.items()):
                where = results.where(member)
                if name not in gt:
                    yield warning(where, "the ground truth has no such sequence; it is not scored")
                    continue
                length = None if num_frames is None else num_frames.get(name)
                frames = range(first_frame, first_frame + length) if length is not None else None
                for problem in _file_problems(results, member, gt[name], first_frame, frames):
                    yield problem.in_file(where)
    except (AnnotationError, OSError) as wrong:
        yield read_error(wrong)


def _file_problems(
    results: Archive | Folder, member: str, gt: list[MOTSObject], first_frame: int, frames: range | None
) -> Iterator[Problem]:
    classes = {item.class_id for item in gt} - {IGNORE_CLASS}
    sizes = {tuple(item.rle["size"]) for item in gt}
    by_frame: dict[int, list[tuple[int, MOTSObject]]] = {}
    seen: dict[tuple[int, int], int] = {}
    class_of: dict[int, int] = {}
    try:
        data = results.read(member)
    except AnnotationError as wrong:
        yield error("$", str(wrong).removeprefix(f"{results.where(member)}: "))
        return
    for found in parse_mots(data):
        if isinstance(found, Problem):
            yield found
            continue
        number, item = found
        where = f"line {number}"
        if item.frame < first_frame or (frames is not None and item.frame not in frames):
            known = f"are {first_frame} to {frames[-1]}" if frames else f"count from {first_frame}"
            yield error(where, f"frame {item.frame} is none of the sequence's, which {known}")
        if sizes and tuple(item.rle["size"]) not in sizes:
            yield error(where, f"size {item.rle['size']} is not that of the ground truth, {list(min(sizes))}")
        if classes and item.class_id not in classes:
            yield warning(where, f"class {item.class_id} is none of the ground truth's; it is not scored")
        if seen.setdefault((item.frame, item.track_id), number) != number:
            first = seen[item.frame, item.track_id]
            yield error(where, f"id {item.track_id} is that of line {first} in the same frame {item.frame}")
        if class_of.setdefault(item.track_id, item.class_id) != item.class_id:
            yield warning(where, f"id {item.track_id} had class {class_of[item.track_id]} before")
        by_frame.setdefault(item.frame, []).append(found)
    for _, items in sorted(by_frame.items()):
        yield from _overlap_problems(items)


def _overlap_problems(items: list[tuple[int, MOTSObject]]) -> Iterator[Problem]:
    """Problems of pairs of masks in a frame that share pixels and have the same size."""
    by_size: dict[tuple[int, ...], list[tuple[int, MOTSObject]]] = {}
    for number, item in items:
        by_size.setdefault(tuple(item.rle["size"]), []).append((number, item))
    for group in by_size.values():
        rles, _ = normalize_segmentations([item.rle for _, item in group], [""] * len(group), [(1, 1)] * len(group))
        overlaps = np.triu(mask_util.iou(rles, rles, [0] * len(rles)), k=1)
        for i, j in np.argwhere(overlaps > 0).tolist():
            yield error(
                f"line {group[j][0]}", f"the mask overlaps that of line {group[i][0]} in frame {group[i][1].frame}"
            )
