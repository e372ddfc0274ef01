"""Checks of masks: run lengths and polygons."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import is_finite
from ictrack.structures.rle import RLEError, decode_runs

from .boxes import check_box_of_mask
from .defects import Defects, Subject
from .entries import TOLERANCE
from .motion import JumpChecks

# Masks that are decoded together; one by one only where one of them is damaged.
_BLOCK = 512
_MIN_POLYGON = 6
# Share by which a stated area may differ from the mask's.
_AREA_TOLERANCE = 0.05


@dataclass(frozen=True)
class _Mask:
    rle: Any
    where: str
    area: Any
    moment: tuple[Hashable, int] | None
    box: Any
    subject: Subject | None


class MaskChecks:
    """Checks of many masks. Run lengths are decoded in blocks, the last ones by :meth:`finish`."""

    def __init__(self, defects: Defects, jumps: JumpChecks | None = None) -> None:
        """
        Args:
            defects: Takes what is wrong.
            jumps: Takes the boxes of masks that are added with a moment; to be finished after these checks.
        """
        self._defects = defects
        self._jumps = jumps
        self._waiting: list[_Mask] = []

    def add(
        self,
        segmentation: Any,
        size: tuple[int, int] | None,
        where: str,
        area: Any = None,
        moment: tuple[Hashable, int] | None = None,
        box: Any = None,
    ) -> None:
        """Check a mask.

        Args:
            segmentation: RLE or list of polygons.
            size: (height, width) of its image; None: unknown.
            where: JSON path.
            area: Stated number of pixels, for run lengths; None: not stated.
            moment: Track and position in the video of a mask that has no box beside it; None: jumps are not checked.
            box: Box [x, y, width, height] beside it, which may be any JSON value; None: there is none.
        """
        if isinstance(segmentation, dict):
            given = segmentation.get("size")
            good = size is None or given == list(size)
            if self._defects.require(good, "mask", f"{where}.size", "is {}, the image's is {}", given, size):
                self._waiting.append(_Mask(segmentation, where, area, moment, box, self._defects.subject))
            if len(self._waiting) == _BLOCK:
                self.finish()
            return
        good = isinstance(segmentation, list) and bool(segmentation)
        if self._defects.require(good, "mask", where, "must be an RLE or a list of polygons, not {}", segmentation):
            checked = [self._check_polygon(polygon, size, f"{where}[{i}]") for i, polygon in enumerate(segmentation)]
            if all(checked):
                xs, ys = ([value for polygon in segmentation for value in polygon[start::2]] for start in (0, 1))
                self._place([min(xs), min(ys), max(xs), max(ys)], where, moment, box)

    def finish(self) -> None:
        """Check what is waiting."""
        masks, self._waiting = self._waiting, []
        if not masks:
            return
        try:
            runs = decode_runs([mask.rle for mask in masks])
        except RLEError as error:
            if len(masks) == 1:
                with self._seen_in(masks[0]):
                    self._defects.error("mask", masks[0].where, error.reason)
                return
            for mask in masks:
                self._waiting = [mask]
                self.finish()
            return
        for mask, area, extent in zip(masks, runs.areas().tolist(), runs.boxes().tolist()):
            with self._seen_in(mask):
                if area == 0:
                    self._defects.error("mask", mask.where, "covers no pixel")
                    continue
                self._place(extent, mask.where, mask.moment, mask.box)
                if is_finite(mask.area) and abs(mask.area - area) > max(1.0, _AREA_TOLERANCE * area):
                    text = f"covers {area} pixels, its area is {describe(mask.area)}"
                    self._defects.warning("area", mask.where, text)

    def _place(self, extent: Sequence[float], where: str, moment: tuple[Hashable, int] | None, box: Any) -> None:
        """Have the extent x0, y0, x1, y1 of a mask checked: by a box beside it, and for a jump, which is seen in it."""
        check_box_of_mask(box, extent, where, self._defects)
        if self._jumps is None or moment is None:
            return
        x0, y0, x1, y1 = extent
        of_mask = [x0, y0, x1 - x0, y1 - y0]
        before = self._defects.subject
        self._defects.subject = before and replace(before, box=of_mask)
        self._jumps.add(*moment, of_mask, where)
        self._defects.subject = before

    @contextmanager
    def _seen_in(self, mask: _Mask) -> Iterator[None]:
        """Context in which defects are those of a mask that was added before."""
        before, self._defects.subject = self._defects.subject, mask.subject
        try:
            yield
        finally:
            self._defects.subject = before

    def _check_polygon(self, polygon: Any, size: tuple[int, int] | None, where: str) -> bool:
        """Check a polygon; whether it has an extent."""
        good = isinstance(polygon, list) and len(polygon) % 2 == 0 and all(map(is_finite, polygon))
        if not self._defects.require(good, "mask", where, "must be finite numbers, x and y in turn"):
            return False
        enough = len(polygon) >= _MIN_POLYGON
        if not self._defects.require(enough, "mask", where, "has fewer than three points") or size is None:
            return enough
        low, high = min(polygon), max(max(polygon[::2]) - size[1], max(polygon[1::2]) - size[0])
        if low < -TOLERANCE or high > TOLERANCE:
            self._defects.warning("mask", where, f"reaches out of the image of {size[1]} x {size[0]}")
        return True
