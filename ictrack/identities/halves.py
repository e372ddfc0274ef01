"""Exact test of an embedding: are the halves of tracklets matched, when it is hidden that they belong together?

Continuity says who is who inside a tracklet, so that the test needs no label. Chance is 1 / N among N tracklets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .certain_tracklets import Tracklet

_Z = 1.96  # of a 95 % interval


@dataclass(frozen=True)
class HalvesTest:
    """Result of the test.

    Attributes:
        matched, pairs: Number of halves that found their other half, and of all.
        cuts: Number of cuts; in each, the last pair follows from the others.
        chance: Share of the halves that chance would match.
    """

    matched: int
    pairs: int
    cuts: int
    chance: float

    @property
    def accuracy(self) -> float:
        """Share of the halves that were matched rightly; NaN without any."""
        return self.matched / self.pairs if self.pairs else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy (Wilson, 1927), for as many trials as there are pairs that do not follow from
        others; NaN without any pair."""
        if not self.pairs:
            return float("nan"), float("nan")
        n, p = self.pairs - self.cuts, self.accuracy
        middle = p + _Z**2 / (2 * n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        low, high = ((middle + sign * half) / (1 + _Z**2 / n) for sign in (-1, 1))
        return max(low, 0.0), min(high, 1.0)

    def __str__(self) -> str:
        if not self.pairs:
            return "no tracklets were long enough together to be cut in halves"
        low, high = self.interval
        return (
            f"{self.matched} of {self.pairs} halves matched ({100 * self.accuracy:.1f} %, 95 % interval "
            f"{100 * low:.1f} to {100 * high:.1f}; by chance {100 * self.chance:.1f} %)"
        )


@dataclass(frozen=True)
class Cut:
    """Tracklets that are cut at one frame: positions, among the parts, of their first and second halves."""

    first: list[int]
    second: list[int]


def cut_in_halves(tracklets: Sequence[Tracklet], min_length: int) -> tuple[list[Tracklet], list[int], list[Cut]]:
    """Parts of tracklets that are to be treated as if nothing were known of each other.

    Args:
        tracklets: Tracklets.
        min_length: Smallest number of frames of a half.

    Returns:
        Parts, the index of the tracklet that each is of, and the cuts. Tracklets that are together for at least twice
        ``min_length`` frames are cut together, in the middle of that time; no tracklet is cut twice.
    """
    uncut = set(range(len(tracklets)))
    parts: list[Tracklet] = []
    of: list[int] = []
    cuts: list[Cut] = []
    while True:
        group, start, end = _longest_company(tracklets, uncut)
        if len(group) < 2 or end - start < 2 * min_length:
            break
        middle = (start + end) // 2
        sides: tuple[list[int], list[int]] = ([], [])
        for index in group:
            tracklet = tracklets[index]
            position = tracklet.position(middle)
            for side, part in zip(sides, (tracklet.part(0, position), tracklet.part(position, len(tracklet)))):
                side.append(len(parts))
                parts.append(part)
                of.append(index)
        cuts.append(Cut(*sides))
        uncut -= set(group)
    for index in sorted(uncut):
        parts.append(tracklets[index])
        of.append(index)
    return parts, of, cuts


def match_halves(means: np.ndarray, cuts: Sequence[Cut]) -> HalvesTest:
    """Test by the mean embeddings (P, D) of all parts, matched one to one within each cut."""
    matched = pairs = 0
    rng = np.random.default_rng(0)
    for cut in cuts:
        # In another order, so that equal embeddings are matched by chance, and not in the order of the tracklets.
        order = rng.permutation(len(cut.second))
        second = np.array(cut.second)[order]
        rows, columns = linear_sum_assignment(means[cut.first] @ means[second].T, maximize=True)
        matched += int((rows == order[columns]).sum())
        pairs += len(rows)
    # In each cut, one pair is right by chance, whatever their number.
    return HalvesTest(matched, pairs, len(cuts), len(cuts) / pairs if pairs else float("nan"))


def _longest_company(tracklets: Sequence[Tracklet], candidates: set[int]) -> tuple[list[int], int, int]:
    """Tracklets that are together, and the frames [start, end) in which they are: the largest number times frames."""
    best: tuple[float, list[int], int, int] = (0.0, [], 0, 0)
    spans = {i: (int(tracklets[i].frames[0]), int(tracklets[i].frames[-1]) + 1) for i in candidates}
    edges = sorted({edge for span in spans.values() for edge in span})
    for position, start in enumerate(edges):
        for end in edges[position + 1 :]:
            group = [i for i, (first, last) in spans.items() if first <= start and last >= end]
            if len(group) < 2:
                break
            if len(group) * (end - start) > best[0]:
                best = (len(group) * (end - start), sorted(group), start, end)
    return best[1:]
