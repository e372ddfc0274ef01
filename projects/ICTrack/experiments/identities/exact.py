"""Exact tests: are halves of tracklets matched, also where the frames around the cut are hidden?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ictrack.engine.identify import MIN_HALF
from ictrack.identities import Cut, Tracklet, match_halves, unit_mean

# Frames that are hidden around a cut, for the test of the same name.
CUT_FRAMES = 50


def matched_by_means(means: np.ndarray, cuts: Sequence[Cut]) -> tuple[float, int, str]:
    """Share of the halves that are matched by their mean embeddings (P, D), their number, and "matched/pairs" of each
    cut."""
    tests = [match_halves(means, [cut]) for cut in cuts]
    return _shares([(test.matched, test.pairs) for test in tests])


def matched_by_identities(identities: np.ndarray, cuts: Sequence[Cut]) -> tuple[float, int, str]:
    """The same by the identities (P,) of all parts, -1 for none: matched are halves of one identity."""
    counts = []
    for cut in cuts:
        first, second = identities[cut.first], identities[cut.second]
        counts.append((int(((first == second) & (first >= 0)).sum()), len(first)))
    return _shares(counts)


def by_place(means: Sequence[np.ndarray], cuts: Sequence[Cut]) -> np.ndarray:
    """(P, 4) vectors of mean places: the product of a first and a second half is the larger, the nearer they are."""
    places = np.stack(means)
    # -|a - b|^2 = 2 a.b - |a|^2 - |b|^2 as a product of vectors, which is what the test compares.
    ones, squares = np.ones((len(places), 1)), (places**2).sum(axis=1, keepdims=True)
    first, second = np.hstack([2 * places, -squares, -ones]), np.hstack([places, ones, squares])
    of_second = {index for cut in cuts for index in cut.second}
    return np.stack([second[i] if i in of_second else first[i] for i in range(len(places))])


def without_middle(
    parts: Sequence[Tracklet], embeddings: Sequence[np.ndarray], cuts: Sequence[Cut]
) -> tuple[list[Tracklet], np.ndarray, list[Cut]]:
    """Parts without the frames near the cut, their means (P, D), and the cuts whose halves are long enough for it."""
    hidden = CUT_FRAMES // 2
    shown = [slice(0, len(part)) for part in parts]
    kept = [cut for cut in cuts if min(len(parts[i]) for i in (*cut.first, *cut.second)) >= hidden + MIN_HALF]
    for cut in kept:
        for index in cut.first:
            shown[index] = slice(0, len(parts[index]) - hidden)
        for index in cut.second:
            shown[index] = slice(hidden, len(parts[index]))
    means = np.stack([unit_mean(x[where]) for x, where in zip(embeddings, shown)])
    return [part.part(where.start, where.stop) for part, where in zip(parts, shown)], means, kept


def _shares(counts: Sequence[tuple[int, int]]) -> tuple[float, int, str]:
    pairs = sum(of for _, of in counts)
    share = sum(matched for matched, _ in counts) / pairs if pairs else float("nan")
    return share, pairs, " ".join(f"{matched}/{of}" for matched, of in counts)
