"""Checks of masks: run lengths and polygons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ictrack.structures.describe import describe
from ictrack.structures.json_files import is_finite
from ictrack.structures.rle import RLEError, decode_runs

from .defects import Defects, Subject
from .entries import TOLERANCE

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
    subject: Subject | None


class MaskChecks:
    """Checks of many masks. Run lengths are decoded in blocks, the last ones by :meth:`finish`."""

    def __init__(self, defects: Defects) -> None:
        self._defects = defects
        self._waiting: list[_Mask] = []

    def add(self, segmentation: Any, size: tuple[int, int] | None, where: str, area: Any = None) -> None:
        """Check a mask.

        Args:
            segmentation: RLE or list of polygons.
            size: (height, width) of its image; None: unknown.
            where: JSON path.
            area: Stated number of pixels, for run lengths; None: not stated.
        """
        if isinstance(segmentation, dict):
            self._add_encoded(segmentation, size, where, area)
            return
        good = isinstance(segmentation, list) and bool(segmentation)
        if self._defects.require(good, "mask", where, "must be an RLE or a list of polygons, not {}", segmentation):
            for i, polygon in enumerate(segmentation):
                self._check_polygon(polygon, size, f"{where}[{i}]")

    def _add_encoded(self, rle: dict[str, Any], size: tuple[int, int] | None, where: str, area: Any) -> None:
        given = rle.get("size")
        good = size is None or given == list(size)
        if self._defects.require(good, "mask", f"{where}.size", "is {}, the image's is {}", given, size):
            self._waiting.append(_Mask(rle, where, area, self._defects.subject))
        if len(self._waiting) == _BLOCK:
            self.finish()

    def finish(self) -> None:
        """Check what is waiting."""
        masks, self._waiting = self._waiting, []
        if not masks:
            return
        try:
            areas: Sequence[int] = decode_runs([mask.rle for mask in masks]).extents().areas.tolist()
        except RLEError as error:
            if len(masks) == 1:
                with self._seen_in(masks[0]):
                    self._defects.error("mask", masks[0].where, error.reason)
                return
            for mask in masks:
                self._waiting = [mask]
                self.finish()
            return
        for mask, area in zip(masks, areas):
            with self._seen_in(mask):
                if area == 0:
                    self._defects.error("mask", mask.where, "covers no pixel")
                elif is_finite(mask.area) and abs(mask.area - area) > max(1.0, _AREA_TOLERANCE * area):
                    text = f"covers {area} pixels, its area is {describe(mask.area)}"
                    self._defects.warning("area", mask.where, text)

    @contextmanager
    def _seen_in(self, mask: _Mask) -> Iterator[None]:
        """Context in which defects are those of a mask that was added before."""
        before, self._defects.subject = self._defects.subject, mask.subject
        try:
            yield
        finally:
            self._defects.subject = before

    def _check_polygon(self, polygon: Any, size: tuple[int, int] | None, where: str) -> None:
        good = isinstance(polygon, list) and len(polygon) % 2 == 0 and all(map(is_finite, polygon))
        if not self._defects.require(good, "mask", where, "must be finite numbers, x and y in turn"):
            return
        enough = len(polygon) >= _MIN_POLYGON
        if not self._defects.require(enough, "mask", where, "has fewer than three points") or size is None:
            return
        low, high = min(polygon), max(max(polygon[::2]) - size[1], max(polygon[1::2]) - size[0])
        if low < -TOLERANCE or high > TOLERANCE:
            self._defects.warning("mask", where, f"reaches out of the image of {size[1]} x {size[0]}")
