"""Frame indices from the names of files that hold a frame each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..natural_order import natural_key

# ``street_12``: Ultralytics' name for the twelfth frame of street.mp4.
_COUNTED_FROM_ONE = re.compile(r".*\D_(\d+)")
_NUMBER = re.compile(r".*?(\d+)")


def frame_indices(stems: Sequence[str]) -> dict[str, int]:
    """Frame index, 0-based, of each name without suffix.

    Names such as ``street_12`` count frames from 1, other names that end in a number from 0. Where a name has no
    number, or two have the same, the indices are the places of the names in their natural order.
    """
    for pattern, first in ((_COUNTED_FROM_ONE, 1), (_NUMBER, 0)):
        matches = [pattern.fullmatch(stem) for stem in stems]
        numbers = [int(match[1]) - first for match in matches if match]
        if len(set(numbers)) == len(stems) and min(numbers, default=0) >= 0:
            return dict(zip(stems, numbers))
    return {stem: index for index, stem in enumerate(sorted(stems, key=natural_key))}
