"""Check that tracks move as objects do: an identity that jumps was mostly given to another object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
