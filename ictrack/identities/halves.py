"""Exact test of an embedding: are the halves of tracklets matched, when it is hidden that they belong together?

Continuity says who is who inside a tracklet, so that the test needs no label. Chance is 1 / N among N tracklets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ictrack.evaluation.metrics.wilson import wilson_interval

from .certain_tracklets import Tracklet


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
        """95 % interval of the accuracy, see :meth:`interval_of`."""
        return self.interval_of(self.accuracy)

    @property
    def is_conclusive(self) -> bool:
        """Whether there are so many pairs that matching all of them would be more than chance."""
        return bool(self.interval_of(1.0)[0] > self.chance)

    def interval_of(self, share: float) -> tuple[float, float]:
        """95 % interval of a share, for as many trials as there are pairs that do not follow from
        others; NaN without any pair."""
        if not self.pairs:
            return float("nan"), float("nan")
        return wilson_interval(share, self.pairs - self.cuts)

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
        ``min_length`` frames are cut together, in the middle of that time; no tracklet is cut twice, and none that a
        person joined of several.
    """
    uncut = {index for index, tracklet in enumerate(tracklets) if tracklet.is_unbroken}
    whole = set(range(len(tracklets)))
    parts: list[Tracklet] = []
    of: list[int] = []
    cuts: list[Cut] = []
    for _, group, start, end in sorted(_companies(tracklets, 2 * min_length), reverse=True):
        group = [index for index in group if index in uncut]
        if len(group) < 2:
            continue
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
        whole -= set(group)
    for index in sorted(whole):
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


def _companies(tracklets: Sequence[Tracklet], min_length: int) -> list[tuple[int, list[int], int, int]]:
    """Groups of tracklets that are together for at least ``min_length`` frames [start, end).

    Of the tracklets in the first frame of each tracklet, all are a group, and again without the one that limits their
    time most, and so on.

    Returns:
        Number of tracklets times frames, the tracklets, start and end.
    """
    spans = [(int(x.frames[0]), int(x.frames[-1]) + 1) for x in tracklets]
    begins = np.array([first for first, _ in spans])
    ends = np.array([last for _, last in spans])
    companies = []
    for frame in np.unique(begins):
        group = np.flatnonzero((begins <= frame) & (ends > frame)).tolist()
        while len(group) > 1:
            start, end = int(begins[group].max()), int(ends[group].min())
            if end - start >= min_length:
                companies.append((len(group) * (end - start), list(group), start, end))
            latest, earliest = (int(np.argmax(begins[group])), int(np.argmin(ends[group])))
            without = [group[:place] + group[place + 1 :] for place in (latest, earliest)]
            group = max(without, key=lambda rest: ends[rest].min() - begins[rest].max())
    return companies
