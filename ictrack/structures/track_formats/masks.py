"""Checks and tight boxes of masks that a file gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as mask_util

from ..rle import RLE
from ..youtube_vis_json import normalize_segmentations


def checked_rles(rles: Sequence[RLE], places: Sequence[str]) -> list[RLE]:
    """The same masks, with a str ``counts``; an encoding by a str without empty runs beyond the first is kept.

    Args:
        rles: N masks.
        places: Places of the masks in their file, for messages.

    Raises:
        AnnotationError: an encoding is no mask; the message has its place.
    """
    safe, _ = normalize_segmentations(rles, places, [(0, 0)] * len(rles))
    return [
        {**rle, "counts": rle["counts"].decode("ascii")} if isinstance(rle["counts"], bytes) else rle for rle in safe
    ]


def tight_boxes(rles: Sequence[RLE]) -> np.ndarray:
    """Boxes (N, 4) float64 XYXY of the masks' pixels; zeros for an empty mask."""
    boxes = np.array(mask_util.toBbox(list(rles)), dtype=np.float64).reshape(len(rles), 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
