"""The experiment: every method on every video, by tests that need no label, and against a reference."""

from __future__ import annotations

import csv
import io
import logging
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ictrack.data.video_io import open_frames
from ictrack.engine.identify import MIN_HALF, MIN_LENGTH, link, values_of_parts
from ictrack.engine.video_tracker import VideoTracker
from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import (
    Cut,
    Links,
    Tracklet,
    accuracy_of,
    cut_in_halves,
    fit_appearance,
    match_halves,
    unit_mean,
)
from ictrack.structures.atomic_file import replacing

from .methods import METHODS, embedder
from .reference import agreement

logger = logging.getLogger(__name__)

COLUMNS = ("video", "method", "seed", "test", "value", "num_pairs", "by_cut", "cpu_seconds", "peak_mib")
# Frames that are hidden around a cut, for the test of the same name.
CUT_FRAMES = 50


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
    """Rows of a video, without its name: see ``COLUMNS``."""
    for name in methods:
        for seed in seeds if METHODS[name].learns else seeds[:1]:
            for row in _run_method(material, name, seed, num_instances, iterations, reference):
                logger.info("%s", row)
                yield row


def _run_method(
    material: Material, name: str, seed: int, num_instances: int, iterations: int, reference: np.ndarray | None
) -> Iterator[dict[str, object]]:
    start = time.process_time()
    parts, of, cuts = cut_in_halves(material.tracklets, MIN_HALF)
    if name == "position":
        values = [material.footage.centers_of(x) for x in material.tracklets]
        places = [x.mean(axis=0) for x in values_of_parts(parts, of, material.tracklets, values)]
        yield _row(name, seed, "halves", *_shares(*_by_place(places, cuts)), material, start)
        return
    crops = values_of_parts(parts, of, material.tracklets, material.crops)
    embed = embedder(name, parts, crops, iterations, seed)
    values = [embed(x) for x in material.crops]
    by_part = values_of_parts(parts, of, material.tracklets, values)
    means = np.stack([unit_mean(x) for x in by_part])
    yield _row(name, seed, "halves", *_shares(means, cuts), material, start)
    yield _row(name, seed, "cut", *_shares(*_trimmed(by_part, cuts)), material, start)
    if reference is None:
        return
    appearance = fit_appearance(by_part, cuts)
    assert appearance is not None
    of_tracklets = np.stack([unit_mean(x) for x in values])
    halves = match_halves(means, cuts)
    links = link(
        material.footage,
        material.tracklets,
        of_tracklets,
        appearance,
        num_instances,
        places=not halves.is_conclusive,
    )
    yield _row(name, seed, "reference", *_agreement(material, links, reference), "", material, start)
    lengths = np.array([len(x) for x in material.tracklets], dtype=float)
    for test, share in zip(("estimate", "estimate_low", "estimate_high"), accuracy_of(links, lengths, halves)):
        yield _row(name, seed, test, share, int(lengths.sum()), "", material, start)


def _agreement(material: Material, links: Links, reference: np.ndarray) -> tuple[float, int]:
    return agreement(material.footage, material.tracklets, links.identities, reference)


def _by_place(means: Sequence[np.ndarray], cuts: Sequence[Cut]) -> tuple[np.ndarray, Sequence[Cut]]:
    """Vectors of mean places for the exact test: the product of two is the larger, the nearer they are."""
    places = np.stack(means)
    # -|a - b|^2 = 2 a.b - |a|^2 - |b|^2 as a product of vectors, which is what the test compares.
    ones, squares = np.ones((len(places), 1)), (places**2).sum(axis=1, keepdims=True)
    first, second = np.hstack([2 * places, -squares, -ones]), np.hstack([places, ones, squares])
    of_second = {index for cut in cuts for index in cut.second}
    mixed = np.stack([second[i] if i in of_second else first[i] for i in range(len(places))])
    return mixed, cuts


def _trimmed(embeddings: Sequence[np.ndarray], cuts: Sequence[Cut]) -> tuple[np.ndarray, list[Cut]]:
    """Means of the parts without the frames near the cut, and the cuts whose halves are long enough for it."""
    hidden = CUT_FRAMES // 2
    means = np.stack([unit_mean(x) for x in embeddings])
    kept = []
    for cut in cuts:
        if min(len(embeddings[i]) for i in (*cut.first, *cut.second)) < hidden + MIN_HALF:
            continue
        kept.append(cut)
        for index in cut.first:
            means[index] = unit_mean(embeddings[index][:-hidden])
        for index in cut.second:
            means[index] = unit_mean(embeddings[index][hidden:])
    return means, kept


def _shares(means: np.ndarray, cuts: Sequence[Cut]) -> tuple[float, int, str]:
    """Share of the halves that are matched, their number, and "matched/pairs" of each cut."""
    tests = [match_halves(means, [cut]) for cut in cuts]
    pairs = sum(test.pairs for test in tests)
    share = sum(test.matched for test in tests) / pairs if pairs else float("nan")
    return share, pairs, " ".join(f"{test.matched}/{test.pairs}" for test in tests)


def _row(
    method: str, seed: int, test: str, value: float, num_pairs: int, by_cut: str, material: Material, start: float
) -> dict[str, object]:
    return {
        "method": method,
        "seed": seed,
        "test": test,
        "value": f"{value:.4f}",
        "num_pairs": num_pairs,
        "by_cut": by_cut,
        "cpu_seconds": f"{material.seconds + time.process_time() - start:.0f}",
        "peak_mib": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
    }


def read_rows(path: Path) -> list[dict[str, object]]:
    """Rows of an ``identify.csv``; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="ascii") as file:
        return [dict(row) for row in csv.DictReader(file)]


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write ``identify.csv``."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.getvalue().encode("ascii"))
