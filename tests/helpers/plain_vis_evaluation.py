"""The official YouTube-VIS algorithm once more, by plain loops over dense masks: slow, and simple enough to be read.

It follows the behaviour of github.com/youtubevos/cocoapi as the golden cases show it; ``strict=True`` is the protocol
of that name.
"""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
from pycocotools import mask as mask_util

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
RANGES = ((0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10))
LIMITS = (1, 10, 100)


def dense(rle):
    return None if rle is None else mask_util.decode({**rle, "counts": rle["counts"].encode()}).astype(bool)


def plain_iou(detection, truth, strict):
    """IoU of two tracks of dense masks or None."""
    intersection = union = 0
    for d, g in (zip_longest if strict else zip)(detection, truth):
        if d is None or g is None:
            union += sum(int(mask.sum()) for mask in (d, g) if mask is not None)
        elif d.shape == g.shape:
            intersection, union = intersection + int((d & g).sum()), union + int((d | g).sum())
    return intersection / union if union else 0.0


def plain_match(iou, areas, truth_areas, crowd, has_id, area_range, threshold):
    """The official loop, for one area range and threshold: matched, ignored, number of ground truths."""
    low, high = area_range
    ignore = [c or a < low or a > high for c, a in zip(crowd, truth_areas)]
    order = sorted(range(len(ignore)), key=lambda g: ignore[g])
    used = set()
    matched, ignored = [], []
    for d in range(len(areas)):
        best, best_iou = None, threshold
        for g in order:
            if g in used and not crowd[g]:
                continue
            if best is not None and not ignore[best] and ignore[g]:
                break
            if iou[d, g] >= best_iou:
                best, best_iou = g, iou[d, g]
        if best is not None:
            used.add(best)
        matched.append(best is not None and bool(has_id[best]))
        outside = areas[d] < low or areas[d] > high
        ignored.append((best is not None and bool(ignore[best])) or (not matched[-1] and outside))
    return matched, ignored, sum(not i for i in ignore)


def _mean_area(areas):
    visible = [area for area in areas if area]
    return float(np.mean(visible)) if visible else 0.0


def _pooled(ground_truth, results, category, area_range, threshold, strict):
    """(score, rank, right, wrong) of each detection in the order of pooling, and the number of ground truths."""
    pool, num_truth = [], 0
    for video in sorted(v["id"] for v in ground_truth["videos"]):
        truth = [a for a in ground_truth["annotations"] if (a["video_id"], a["category_id"]) == (video, category)]
        found = [r for r in results if (r["video_id"], r["category_id"]) == (video, category)]
        found = sorted(found, key=lambda r: -r["score"])[: LIMITS[-1]]
        masks = [[dense(s) for s in r["segmentations"]] for r in found]
        truth_masks = [[dense(s) for s in a["segmentations"]] for a in truth]
        iou = np.array([[plain_iou(d, g, strict) for g in truth_masks] for d in masks]).reshape(len(found), len(truth))
        matched, ignored, count = plain_match(
            iou,
            [_mean_area([m.sum() for m in track if m is not None]) for track in masks],
            [_mean_area(a["areas"]) for a in truth],
            [bool(a["iscrowd"]) for a in truth],
            [strict or a["id"] != 0 for a in truth],
            area_range,
            threshold,
        )
        num_truth += count
        pool += [
            (r["score"], rank, m and not i, not m and not i)
            for rank, (r, m, i) in enumerate(zip(found, matched, ignored))
        ]
    return sorted(pool, key=lambda entry: -entry[0]), num_truth


def _curve(pool, num_truth):
    """Precision at each recall, and the last recall."""
    precision, recall, right, wrong = [], [], 0, 0
    for *_, is_right, is_wrong in pool:
        right, wrong = right + is_right, wrong + is_wrong
        precision.append(right / (right + wrong + np.spacing(1)))
        recall.append(right / num_truth)
    # The best precision at this recall or a higher one.
    at = [max([p for p, r in zip(precision, recall) if r >= level], default=0.0) for level in RECALLS]
    return at, recall[-1] if recall else 0.0


def plain_summary(ground_truth, results, *, strict=False):
    """The 12 official numbers."""
    ap = {(a, t): [] for a in range(4) for t in range(10)}
    ar = {(a, m): [] for a in range(4) for m in LIMITS}
    for category in (c["id"] for c in ground_truth["categories"]):
        for a, area_range in enumerate(RANGES):
            for t, threshold in enumerate(THRESHOLDS):
                pool, num_truth = _pooled(ground_truth, results, category, area_range, threshold, strict)
                if num_truth == 0:
                    continue
                ap[a, t] += _curve(pool, num_truth)[0]
                for limit in LIMITS:
                    ar[a, limit].append(_curve([entry for entry in pool if entry[1] < limit], num_truth)[1])

    def mean(parts):
        values = [value for part in parts for value in part]
        return float(np.mean(values)) if values else np.nan

    over = {a: [ap[a, t] for t in range(10)] for a in range(4)}
    return {
        "AP": mean(over[0]),
        "AP50": mean([ap[0, 0]]),
        "AP75": mean([ap[0, 5]]),
        **{key: mean(over[a]) for a, key in enumerate(("APs", "APm", "APl"), 1)},
        **{f"AR{limit}": mean([ar[0, limit]]) for limit in LIMITS},
        **{key: mean([ar[a, LIMITS[-1]]]) for a, key in enumerate(("ARs", "ARm", "ARl"), 1)},
    }
