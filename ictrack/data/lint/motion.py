"""Check that tracks move as objects do: an identity that jumps was mostly given to another object."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ictrack.structures.json_files import is_finite

from .defects import Defects, Subject

# Distance that the center of a box may move from a frame to the next one, in diagonals of the larger box; an animal at
# full speed moves about one length in a frame of a slow camera.
_MAX_DIAGONALS = 3.0


def jump_between(before: Sequence[float], after: Sequence[float], num_frames: int) -> str:
    """Description of a jump from one box x0, y0, x1, y1 to another in a number of frames; "" if there is none."""
    diagonal = max(float(np.hypot(box[2] - box[0], box[3] - box[1])) for box in (before, after))
    moved = float(np.hypot(*(np.add(after[:2], after[2:]) - np.add(before[:2], before[2:])))) / 2
    if not 0 < _MAX_DIAGONALS * diagonal * num_frames < moved:
        return ""
    return f"jumps by {moved:.0f} pixels in {num_frames} frame{'s' * (num_frames > 1)}: another object?"


class JumpChecks:
    """Checks of the boxes of tracks in any order; :meth:`finish` warns of jumps from one frame to the next."""

    def __init__(self, defects: Defects) -> None:
        self._defects = defects
        self._tracks: dict[Hashable, list[tuple[int, list[float], str, Subject | None]]] = {}

    def add(self, track: Hashable, frame: int, box: Any, where: str) -> None:
        """Take a box.

        Args:
            track: What tells tracks apart.
            frame: Position in the video.
            box: JSON value; what is not x, y, width, height, with an area, is left to other checks.
            where: JSON path.
        """
        if isinstance(box, list) and len(box) == 4 and all(map(is_finite, box)) and min(box[2:]) > 0:
            x, y, width, height = box
            place = (frame, [x, y, x + width, y + height], where, self._defects.subject)
            self._tracks.setdefault(track, []).append(place)

    def finish(self) -> None:
        """Warn of the jumps."""
        for places in self._tracks.values():
            places.sort(key=lambda place: place[0])
            for (before, one, *_), (frame, other, where, subject) in zip(places, places[1:]):
                if frame > before and (text := jump_between(one, other, frame - before)):
                    self._defects.subject = subject
                    self._defects.warning("jump", where, text)
        self._defects.subject = None
        self._tracks.clear()
