"""Frame indices from the names of pictures, or of files that hold a frame each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from pathlib import PureWindowsPath

from .natural_order import natural_key

# Most digits of a frame number; a longer number is a date or a hash.
_MAX_DIGITS = 7

_NUMBER = re.compile(r".*?(\d+)", re.DOTALL)
# ``street_12``: Ultralytics' name for the twelfth frame of street.mp4. Numbers of pictures have zeros before them, or
# follow the word for a picture.
_ULTRALYTICS = re.compile(r".+(?<!frame)(?<!image)(?<!img)_([1-9]\d*)", re.DOTALL | re.IGNORECASE)
# What Roboflow puts behind a name: ``street_00012_jpg.rf.<hash>``.
_ROBOFLOW = re.compile(r"_[a-z]{3,4}\.rf\.[0-9a-z]+$", re.IGNORECASE)


class Numbering(Enum):
    """Where the frame indices of a file come from."""

    STATED = "the file states them"
    NAMES = "numbers in the names of the pictures"
    ORDER = "places in the order of the names"


def frame_indices(
    names: Sequence[str], *, ultralytics: bool = False, from_one: bool = False
) -> tuple[list[int], Numbering]:
    """Frame index, 0-based, of the picture of each name.

    The number at the end of a name, before its suffix, counts frames from 0, or from 1 if the numbers are 1, 2, 3 and
    so on without a gap, as FFmpeg names all frames of a video. Where a name has no number, or two have the same, the
    indices are the places of the names in their natural order.

    Args:
        names: Names with suffixes, perhaps with folders.
        ultralytics: Whether names such as ``street_12``, all without zeros before the number, count from 1.
        from_one: Whether names count from 1, unless one is 0.
    """
    stems = [_ROBOFLOW.sub("", PureWindowsPath(name).stem) for name in names]
    patterns = ((_ULTRALYTICS, True),) if ultralytics else ()
    for pattern, counts_from_one in (*patterns, (_NUMBER, from_one)):
        matches = [pattern.fullmatch(stem) for stem in stems]
        digits = [match[1].lstrip("0") or "0" for match in matches if match]
        if len(set(digits)) == len(names) and max(map(len, digits), default=0) <= _MAX_DIGITS:
            numbers = list(map(int, digits))
            lowest = min(numbers, default=0)
            has_no_gap = lowest == 1 and max(numbers) == len(numbers) > 1
            first = 1 if has_no_gap or (counts_from_one and lowest) else 0
            return [number - first for number in numbers], Numbering.NAMES
    indices = [0] * len(names)
    for place, position in enumerate(sorted(range(len(names)), key=lambda i: natural_key(names[i]))):
        indices[position] = place
    return indices, Numbering.ORDER
