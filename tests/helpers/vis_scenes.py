"""Small YouTube-VIS ground truths and results for tests: masks are boxes in frames of 20 x 40 pixels."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as mask_util

from ictrack.structures.rle import encode_mask

SIZE = (20, 40)


def box(x, y=0, width=10, height=10, size=SIZE):
    """RLE of a box."""
    mask = np.zeros(size, dtype=bool)
    mask[y : y + height, x : x + width] = True
    return encode_mask(mask)


def pixels(rle):
    return int(mask_util.area({**rle, "counts": rle["counts"].encode()}))


def annotation(masks, identity=1, *, video=1, category=1, **changes):
    """A ground-truth track; masks are RLEs or None."""
    return {
        "id": identity,
        "video_id": video,
        "category_id": category,
        "iscrowd": 0,
        "segmentations": list(masks),
        "areas": [None if mask is None else pixels(mask) for mask in masks],
        **changes,
    }


def pred_track(masks, score=0.9, *, video=1, category=1):
    """A result; masks are RLEs or None."""
    return {"video_id": video, "category_id": category, "score": score, "segmentations": list(masks)}


def gt_content(annotations, *, lengths=(2,), categories=("cat", "dog")):
    """Videos 1, 2, ... of some lengths, categories 1, 2, ..."""
    return {
        "videos": [
            {
                "id": i,
                "height": SIZE[0],
                "width": SIZE[1],
                "length": length,
                "file_names": [f"{i}/{t:05d}.jpg" for t in range(length)],
            }
            for i, length in enumerate(lengths, 1)
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(categories, 1)],
        "annotations": list(annotations),
    }
