"""MOTS text: a line ``frame id class_id height width rle`` for each mask of each frame.

The format of MOTSChallenge (frames count from 1) and KITTI MOTS (from 0), see motchallenge.net/instructions: ``rle`` is
a compressed string, and no pixel of a frame may belong to two masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as mask_util

from .rle import RLE, RLEError, decode_runs, encode_mask

# Class of a ground truth's regions in which nothing was annotated.
IGNORE_CLASS = 10
_NUM_FIELDS = 6
_MAX_DIGITS = 9


@dataclass(frozen=True)
class MOTSObject:
    """Mask of an object in a frame, a line of a file.

    Attributes:
        frame, track_id, class_id: Numbers as in the file.
        rle: RLE with a str ``counts``.
    """

    frame: int
    track_id: int
    class_id: int
    rle: RLE


def mots_line(item: MOTSObject) -> bytes:
    """Line of a mask, with its line feed."""
    height, width = item.rle["size"]
    return f"{item.frame} {item.track_id} {item.class_id} {height} {width} {item.rle['counts']}\n".encode("ascii")


def parse_mots_line(line: bytes) -> MOTSObject:
    """Mask of a line that is not empty. Raises ValueError with what is wrong in it."""
    item = split_mots_line(line)
    try:
        decode_runs([item.rle])
    except RLEError as wrong:
        raise ValueError(wrong.reason) from None
    return item


def split_mots_line(line: bytes) -> MOTSObject:
    """Mask of a line that is not empty, whose encoding is not checked. Raises ValueError with what is wrong."""
    fields = line.split()
    if len(fields) != _NUM_FIELDS:
        raise ValueError(f"has {len(fields)} fields, not {_NUM_FIELDS}: frame, id, class, height, width, RLE")
    if not all(field.isdigit() and len(field) <= _MAX_DIGITS for field in fields[:-1]):
        raise ValueError(f"frame, id, class, height and width must be whole numbers of at most {_MAX_DIGITS} digits")
    frame, track_id, class_id, height, width = map(int, fields[:-1])
    try:
        counts = fields[-1].decode("ascii")
    except UnicodeDecodeError:
        raise ValueError("the RLE holds a character that is not of the encoding") from None
    return MOTSObject(frame, track_id, class_id, {"size": [height, width], "counts": counts})


def without_overlaps(rles: Sequence[RLE], scores: Sequence[float]) -> list[RLE | None]:
    """Masks (N,) without the pixels of masks of higher score, the first of equals; None for a mask without pixels left.

    Raises:
        RLEError: an encoding is no mask.
        ValueError: the sizes differ.
    """
    areas = decode_runs(rles).areas()
    sizes = {tuple(rle["size"]) for rle in rles}
    if len(sizes) > 1:
        raise ValueError(f"masks of one frame have different sizes: {sorted(sizes)}")
    separate: list[RLE | None] = [None] * len(rles)
    taken: np.ndarray | None = None
    for i in np.argsort(-np.asarray(scores, dtype=float), kind="stable").tolist():
        if areas[i] == 0:
            continue
        mask = mask_util.decode(_packed(rles[i])).astype(bool)
        taken = np.zeros_like(mask) if taken is None else taken
        mask &= ~taken
        if mask.any():
            taken |= mask
            separate[i] = encode_mask(mask)
    return separate


def _packed(rle: RLE) -> RLE:
    """RLE with compressed counts, as pycocotools reads them."""
    return mask_util.frPyObjects(rle, *rle["size"]) if isinstance(rle["counts"], (list, tuple)) else rle
