"""The experiment: every method on every video, by tests that need no label, and against a reference."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ictrack.data.video_io import open_frames
from ictrack.engine.identify import MIN_HALF, MIN_LENGTH, link, values_of_parts
from ictrack.engine.video_tracker import VideoTracker
from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import (
    Appearance,
    Tracklet,
    accuracy_of,
    cut_in_halves,
    fit_appearance,
    match_halves,
    unit_mean,
)
from ictrack.identities.log_odds import LogOdds

from .exact import by_place, matched_by_means, without_middle
from .methods import METHODS, embedder
from .reference import in_every_frame
from .rows import Cost, row
from .whole import compared

logger = logging.getLogger(__name__)

# Evidence from looks that says nothing.
_BLIND = Appearance(LogOdds(np.zeros(3), 0.0))


@dataclass(frozen=True)
class Material:
    """Certain tracklets of a video, their crops, and the CPU seconds that they took."""

    footage: WholeVideo
    tracklets: list[Tracklet]
    crops: list[np.ndarray]
    seconds: float

    @classmethod
    def of_video(cls, detector: VideoTracker, path: Path) -> Material:
        start = time.process_time()
        footage = WholeVideo.detect(detector, lambda: open_frames(path))
        tracklets = footage.certain_tracklets(MIN_LENGTH)
        crops = footage.crops(tracklets, footage.usual_length(tracklets))
        return cls(footage, tracklets, crops, time.process_time() - start)


def run_video(
    material: Material,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    num_instances: int,
    iterations: int,
    reference: np.ndarray | None,
) -> Iterator[dict[str, object]]:
    """Rows of a video, without its name: see ``rows.COLUMNS``."""
    for name in methods:
        for seed in seeds if METHODS[name].learns else seeds[:1]:
            for found in _run_method(material, name, seed, num_instances, iterations, reference):
                logger.info("%s", found)
                yield found


def _run_method(
    material: Material, name: str, seed: int, num_instances: int, iterations: int, reference: np.ndarray | None
) -> Iterator[dict[str, object]]:
    start = time.process_time()
    footage, tracklets = material.footage, material.tracklets
    parts, of, cuts = cut_in_halves(tracklets, MIN_HALF)
    if name == "position":
        values = [footage.centers_of(x) for x in tracklets]
        vectors = by_place([x.mean(axis=0) for x in values_of_parts(parts, of, tracklets, values)], cuts)
        share, pairs, by_cut = matched_by_means(vectors, cuts)
        yield row(name, seed, "halves", share, pairs, Cost.since(start, material.seconds), by_cut)
        if reference is not None:
            blank = np.zeros((len(tracklets), 1))
            links = link(footage, tracklets, blank, _BLIND, num_instances, places=True)
            numbers = in_every_frame(tracklets, links.identities)
            cost = Cost.since(start, material.seconds)
            yield from compared(name, seed, footage, tracklets, numbers, reference, cost)
        return
    crops = values_of_parts(parts, of, tracklets, material.crops)
    embed = embedder(name, parts, crops, iterations, seed)
    values = [embed(x) for x in material.crops]
    by_part = values_of_parts(parts, of, tracklets, values)
    means = np.stack([unit_mean(x) for x in by_part])
    for test, of_test, kept in (("halves", means, cuts), ("cut", *without_middle(parts, by_part, cuts)[1:])):
        share, pairs, by_cut = matched_by_means(of_test, kept)
        yield row(name, seed, test, share, pairs, Cost.since(start, material.seconds), by_cut)
    if reference is None:
        return
    appearance = fit_appearance(by_part, cuts)
    assert appearance is not None
    of_tracklets = np.stack([unit_mean(x) for x in values])
    halves = match_halves(means, cuts)
    places = not halves.is_conclusive
    links = link(footage, tracklets, of_tracklets, appearance, num_instances, places=places)
    cost = Cost.since(start, material.seconds)
    numbers = in_every_frame(tracklets, links.identities)
    yield from compared(name, seed, footage, tracklets, numbers, reference, cost)
    lengths = np.array([len(x) for x in tracklets], dtype=float)
    for test, share in zip(("estimate", "estimate_low", "estimate_high"), accuracy_of(links, lengths, halves)):
        yield row(name, seed, test, share, int(lengths.sum()), cost)
