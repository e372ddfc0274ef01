"""Recognition of objects by a tracker's similarity, measured without labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from detectron2.config import CfgNode

from ictrack.evaluation.metrics.wilson import wilson_interval
from ictrack.tracking import build_tracker
from ictrack.tracking.heads import MemoryTracker
from ictrack.tracking.separation import Clip, Separation, separation

# Numbers of tracklets from which anything is concluded, and for which frames are compared that are not so far apart.
MIN_TRACKLETS = 10
WANTED_TRACKLETS = 40


class CalibrationError(ValueError):
    """A tracker or videos that cannot be calibrated; the message says what is missing."""


@dataclass(frozen=True)
class Recognition:
    """How often an object is recognized among those that are seen with it.

    Attributes:
        accuracy: Share that was right, each tracklet counting once.
        chance: Share that chance gets right.
        tracklets: Number of tracklets.
        gap: Number of frames between the compared ones.
        separation: The similarities.
    """

    accuracy: float
    chance: float
    tracklets: int
    gap: int
    separation: Separation

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy, by Wilson with a trial for each tracklet."""
        return wilson_interval(self.accuracy, self.tracklets)

    def __str__(self) -> str:
        low, high = (100 * end for end in self.interval)
        return f"{100 * self.accuracy:.1f} % (95 % interval {low:.1f} to {high:.1f})"


def recognize(cfg: CfgNode, clips: Sequence[Clip], gap: int) -> Recognition:
    """Recognition by a tracker's similarity ``gap`` frames later, or half as many and so on if tracklets are short.

    Args:
        cfg: Configuration with the tracker.
        clips: Clips at the videos' full rate.
        gap: Number of frames.

    Raises:
        CalibrationError: If there are too few tracklets even in neighboring frames.
    """
    tracker = cast(MemoryTracker, build_tracker(cfg, 0, 0))
    farthest: Recognition | None = None
    while gap:
        found = separation(tracker, clips, gap)
        tracklets = len(found.right)
        if tracklets >= MIN_TRACKLETS:
            result = Recognition(float(found.right.mean()), float(found.chance.mean()), tracklets, gap, found)
            if tracklets >= WANTED_TRACKLETS:
                return result
            farthest = farthest or result
        gap //= 2
    if farthest is None:
        raise CalibrationError(
            f"only {tracklets} objects are certainly the same in neighboring frames and seen with others, fewer than "
            f"{MIN_TRACKLETS}: give more videos, at their full rate, with objects that are apart"
        )
    return farthest
