"""Checks of boxes beside each other, and beside the masks of their objects."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import is_finite

from .defects import Defects


class BoxChecks:
    """Checks that no object is there twice, and that coordinates are pixels."""

    def __init__(self, defects: Defects) -> None:
        self._defects = defects
        self._seen: dict[Hashable, str] = {}
        self._num_boxes = self._num_shares = 0

    def add(self, box: Any, image: Hashable, category: object, where: str) -> None:
        """Check the box [x, y, width, height] of an object of an image; what is none is not looked at."""
        if not _is_box(box):
            return
        self._num_boxes += 1
        self._num_shares += all(abs(value) <= 1 for value in box) and any(value != int(value) for value in box)
        other = self._seen.setdefault((image, describe(category), *box), where)
        if other != where:
            self._defects.warning("duplicate", where, f"has the box and the class of {other} in the same image")

    def finish(self) -> None:
        """Check what needs all boxes."""
        if self._num_boxes and self._num_shares == self._num_boxes:
            text = f"{self._num_boxes} boxes, all within one pixel: coordinates must be pixels, not shares of the image"
            self._defects.error("box", "boxes", text)


def check_box_of_mask(box: Any, mask: Sequence[float], where: str, defects: Defects) -> None:
    """A stated box [x, y, width, height] has a place in common with the box x0, y0, x1, y1 of its mask."""
    if not _is_box(box):
        return
    x, y, width, height = box
    x0, y0, x1, y1 = mask
    if x > x1 or y > y1 or x + width < x0 or y + height < y0:
        of_mask = [x0, y0, x1 - x0, y1 - y0]
        defects.error("mask", where, f"lies in the box {describe(of_mask)}, but the box is {describe(box)}")


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(map(is_finite, box))
