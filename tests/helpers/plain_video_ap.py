"""YouTube-VIS AP as one would write it down: dense masks, loops, nothing shared with the package's metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as mask_util

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
AREAS = ((0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10))
EPSILON = 1e-10


def run_lengths(counts: Any) -> list[int]:
    """Of COCO's compressed string, read character by character, or of a list."""
    if isinstance(counts, list):
        return counts
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def dense(segmentation: Any, height: int, width: int) -> np.ndarray | None:
    if segmentation is None or segmentation == []:
        return None
    if isinstance(segmentation, list):
        return mask_util.decode(mask_util.frPyObjects(segmentation, height, width)).any(axis=2)
    runs = run_lengths(segmentation["counts"])
    pixels = np.concatenate([np.full(run, i % 2, dtype=bool) for i, run in enumerate(runs)])
    return pixels.reshape(segmentation["size"], order="F")


def overlap(found: list, truth: list, strict: bool) -> float:
    length = max(len(found), len(truth)) if strict else min(len(found), len(truth))
    intersection = union = 0
    for t in range(length):
        a = found[t] if t < len(found) else None
        b = truth[t] if t < len(truth) else None
        if a is not None and b is not None:
            if a.shape == b.shape:
                intersection += int((a & b).sum())
                union += int((a | b).sum())
        elif a is not None or b is not None:
            union += int((b if a is None else a).sum())
    return intersection / union if union else 0.0


def pixels(masks: list) -> list[int]:
    return [0 if mask is None else int(mask.sum()) for mask in masks]


def mean_area(areas: list) -> float:
    visible = [area for area in areas if area]
    return sum(visible) / len(visible) if visible else 0.0


def match(ious: np.ndarray, threshold: float, truth_ignored: list, crowd: list) -> list[int]:
    """For each detection by falling score the ground truth it takes, -1 for none."""
    taken: set[int] = set()
    matches = []
    for row in ious:
        best = -1
        for ignored in (False, True):
            for g, iou in enumerate(row):
                if truth_ignored[g] != ignored or g in taken or iou < min(threshold, 1 - EPSILON):
                    continue
                if best < 0 or iou >= row[best]:
                    best = g
            if best >= 0:
                break
        if best >= 0 and not crowd[best]:
            taken.add(best)
        matches.append(best)
    return matches


def plain_video_ap(ground_truth: dict, results: list, *, strict: bool) -> dict[str, float]:
    """The 12 numbers, as ``VideoAPResult.summary`` names them."""
    videos = {video["id"]: video for video in ground_truth["videos"]}
    annotations = ground_truth.get("annotations") or []
    precision: dict[int, list] = {}
    recall: dict[tuple, list] = {}
    for category in sorted(c["id"] for c in ground_truth["categories"]):
        groups = []
        for video_id in sorted(videos):
            size = (videos[video_id]["height"], videos[video_id]["width"])
            truth = [a for a in annotations if (a["video_id"], a["category_id"]) == (video_id, category)]
            found = [r for r in results if (r["video_id"], r["category_id"]) == (video_id, category)]
            found = sorted(found, key=lambda r: -r["score"])[:100]
            truth_masks = [[dense(s, *size) for s in a["segmentations"]] for a in truth]
            found_masks = [[dense(s, *size) for s in r["segmentations"]] for r in found]
            ious = np.array([[overlap(f, t, strict) for t in truth_masks] for f in found_masks])
            found_areas = [mean_area([0 if m is None else int(m.sum()) for m in masks]) for masks in found_masks]
            truth_areas = [
                mean_area(
                    a["areas"] if a.get("areas") is not None else [0 if m is None else int(m.sum()) for m in masks]
                )
                for a, masks in zip(truth, truth_masks)
            ]
            if truth or found:
                groups.append((truth, found, ious.reshape(len(found), len(truth)), truth_areas, found_areas))
        for area, (low, high) in enumerate(AREAS):
            num_truth = 0
            ignored_of = []
            for truth, _, _, truth_areas, _ in groups:
                ignored = [bool(a.get("iscrowd", 0)) or not low <= s <= high for a, s in zip(truth, truth_areas)]
                ignored_of.append(ignored)
                num_truth += ignored.count(False)
            if num_truth == 0:
                continue
            for threshold in IOU_THRESHOLDS:
                pooled = []
                for (truth, found, ious, _, found_areas), ignored in zip(groups, ignored_of):
                    crowd = [bool(a.get("iscrowd", 0)) for a in truth]
                    for rank, g in enumerate(match(ious, threshold, ignored, crowd)):
                        is_match = g >= 0 and (strict or truth[g]["id"] != 0)
                        is_out = not low <= found_areas[rank] <= high
                        is_ignored = (g >= 0 and ignored[g]) or (not is_match and is_out)
                        pooled.append((found[rank]["score"], rank, is_match, is_ignored))
                for limit in (1, 10, 100) if area == 0 else (100,):
                    entries = sorted((e for e in pooled if e[1] < limit), key=lambda e: -e[0])
                    kept = [e[2] for e in entries if not e[3]]
                    right, wrong = np.cumsum(kept), np.cumsum(np.logical_not(kept))
                    recall.setdefault((area, limit), []).append(right[-1] / num_truth if kept else 0.0)
                    if limit < 100:
                        continue
                    curve = np.zeros(101)
                    if kept:
                        raw = right / (wrong + right + np.spacing(1))
                        reached = right / num_truth
                        curve = np.where(reached >= RECALLS[:, None], raw, 0.0).max(axis=1)
                    precision.setdefault(area, []).append((threshold, curve.mean()))

    def mean(values: list) -> float:
        return float(np.mean(values)) if values else np.nan

    def ap(area: int, threshold: float | None = None) -> float:
        return mean([p for t, p in precision.get(area, []) if threshold is None or t == threshold])

    return {
        "AP": ap(0),
        "AP50": ap(0, IOU_THRESHOLDS[0]),
        "AP75": ap(0, IOU_THRESHOLDS[5]),
        **{f"AP{name}": ap(a) for a, name in ((1, "s"), (2, "m"), (3, "l"))},
        **{f"AR{limit}": mean(recall.get((0, limit), [])) for limit in (1, 10, 100)},
        **{f"AR{name}": mean(recall.get((a, 100), [])) for a, name in ((1, "s"), (2, "m"), (3, "l"))},
    }
