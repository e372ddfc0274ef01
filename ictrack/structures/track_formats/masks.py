"""Checks and tight boxes of masks that a file gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pycocotools import mask as mask_util

from ..json_files import AnnotationError
from ..rle import RLE, RLEError, decode_runs


def checked_rles(rles: Sequence[RLE], where: str) -> list[RLE]:
    """The same RLEs, with a str ``counts``.

    Raises:
        AnnotationError: an encoding is no mask; the message has ``where`` and its position.
    """
    try:
        decode_runs(rles)
    except RLEError as error:
        raise AnnotationError(f"{where}[{error.index}]: {error.reason}") from None
    return [
        {**rle, "counts": rle["counts"].decode("ascii")} if isinstance(rle["counts"], bytes) else rle for rle in rles
    ]


def tight_boxes(rles: Sequence[RLE]) -> np.ndarray:
    """Boxes (N, 4) float64 XYXY of the masks' pixels; zeros for an empty mask."""
    boxes = np.array(mask_util.toBbox(list(rles)), dtype=np.float64).reshape(len(rles), 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes
