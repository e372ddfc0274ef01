"""Search for pictures that two data sets share, also re-encoded or resized, by a perceptual hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from ..image_file import REDUCTIONS, ImageReadError, read_reduced_image

# A picture is shrunk to rows of 9 values, of which neighbors are compared: 8 x 8 bits ("difference hash").
_HASH_SIZE = (9, 8)
# Side of the thumbnails by which pictures of similar hashes are compared.
_THUMBNAIL = 16
# Pixels that the shorter side keeps when a picture is decoded smaller.
_MIN_SIDE = 64
# The bits are looked up in parts: hashes that differ in fewer bits than there are parts have a part in common.
_NUM_PARTS = 4
_MAX_BITS = _NUM_PARTS - 1
# Mean difference of two thumbnails of one picture, of 255, and standard deviation of one that shows anything.
_MAX_DIFFERENCE = 4.0
_MIN_CONTRAST = 8.0


class PictureIndex:
    """Pictures by their look."""

    def __init__(self, paths: Iterable[str]) -> None:
        """
        Args:
            paths: Image files; those that cannot be read, or that show nothing, are left out.
        """
        self._paths: list[str] = []
        self._thumbnails: list[np.ndarray] = []
        self._hashes: list[int] = []
        self._parts: dict[tuple[int, int], list[int]] = {}
        for path in paths:
            look = _look(path)
            if look is not None:
                for part in _parts_of(look[0]):
                    self._parts.setdefault(part, []).append(len(self._paths))
                self._paths.append(path)
                self._hashes.append(look[0])
                self._thumbnails.append(look[1])

    def find(self, path: str) -> str | None:
        """Path of a picture that looks the same; None if there is none, or the file cannot be read."""
        look = _look(path)
        if look is None:
            return None
        candidates = dict.fromkeys(number for part in _parts_of(look[0]) for number in self._parts.get(part, ()))
        for number in candidates:
            if (
                bin(self._hashes[number] ^ look[0]).count("1") <= _MAX_BITS
                and float(np.abs(self._thumbnails[number] - look[1]).mean()) <= _MAX_DIFFERENCE
            ):
                return self._paths[number]
        return None


def shared_pictures(first: Iterable[str], second: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(Path of the first, path of the second) of pictures that look the same and are other files."""
    index = PictureIndex(first)
    for path in second:
        same = index.find(path)
        if same is not None and same != path:
            yield same, path


def _look(path: str) -> tuple[int, np.ndarray] | None:
    """Hash and thumbnail of a picture; None if it cannot be read or is plain."""
    try:
        gray = cv2.cvtColor(read_reduced_image(path, _reduction).image, cv2.COLOR_BGR2GRAY)
    except ImageReadError:
        return None
    thumbnail = cv2.resize(gray, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32)
    if float(thumbnail.std()) < _MIN_CONTRAST:
        return None
    small = cv2.resize(gray, _HASH_SIZE, interpolation=cv2.INTER_AREA).astype(np.int16)
    bits = (small[:, 1:] > small[:, :-1]).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big"), thumbnail


def _reduction(size: tuple[int, int]) -> int:
    """Factor by which a picture may be decoded smaller."""
    return max(factor for factor in REDUCTIONS if factor == 1 or min(size) >= factor * _MIN_SIDE)


def _parts_of(value: int) -> list[tuple[int, int]]:
    """(Position, bits) of each part of a hash."""
    width = 64 // _NUM_PARTS
    return [(i, value >> width * i & (1 << width) - 1) for i in range(_NUM_PARTS)]
