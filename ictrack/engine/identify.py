"""Identities of look-alikes in a video: certain tracklets, an embedding learnt from them, and links between them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ictrack.data.frame_stream import FrameStream
from ictrack.identities import (
    Appearance,
    CropEncoder,
    Evidence,
    Gallery,
    HalvesTest,
    Links,
    Reappearance,
    Tracklet,
    accuracy_of,
    apply_corrections,
    assumed_appearance,
    cut_in_halves,
    fit_appearance,
    fit_motion,
    fit_reappearance,
    leave_open,
    link_closed,
    link_open,
    match_halves,
    meetings,
    recognize,
    tracklet_contrast,
    train_encoder,
    unit_mean,
)
from ictrack.structures.track_edits import Edit

from .video_tracker import VideoTracker
from .whole_video import WholeVideo

logger = logging.getLogger(__name__)

# Largest number of crops in memory (150 MB); longer videos are read at every other frame, every third, ...
MAX_CROPS = 20_000
# Smallest number of frames of a tracklet, and of the halves of a cut one.
MIN_LENGTH, MIN_HALF = 4, 8
# Weight of objects that never meet among those to tell apart, where their number is not known.
DOUBT = 0.2
# Smallest probability of an identity; tracklets below it are left open.
MIN_PROBABILITY = 0.5


@dataclass(frozen=True)
class Identification:
    """Result of :func:`identify`.

    Naming convention:
        T: tracklets, K: identities

    Attributes:
        footage: Detections of the video.
        tracklets: T certain tracklets.
        every: Distance of the frames that are embedded: those whose index is a multiple of it.
        crops: Crops (T_i, 40, 64, 3) of each tracklet in these frames.
        embeddings: Embeddings (T_i, 64) of the crops.
        links: Identities of the tracklets; numbers of the tracklets where the objects cannot be told apart.
        labels: (K,) int64 number of each identity of ``links`` in files.
        halves: Exact test of the embedding.
        appearance: Calibrated evidence from appearance; None without any cut to learn it from.
        encoder: Encoder of crops.
        length: Length in pixels of an object that fills a crop.
        told_apart: Whether the objects can be told apart by their looks; also where the exact test is not conclusive.
        seconds: Time that it took.
    """

    footage: WholeVideo
    tracklets: list[Tracklet]
    every: int
    crops: list[np.ndarray]
    embeddings: list[np.ndarray]
    links: Links
    labels: np.ndarray
    halves: HalvesTest
    appearance: Appearance | None
    encoder: CropEncoder
    length: float
    told_apart: bool
    seconds: float

    @property
    def num_detections(self) -> int:
        """Number of detections with an identity."""
        return sum(len(x) for x, identity in zip(self.tracklets, self.links.identities) if identity >= 0)

    @property
    def num_open(self) -> int:
        """Number of detections without one: objects that touch, and tracklets that are short or doubtful."""
        return sum(map(len, self.footage.frames)) - self.num_detections

    @property
    def accuracy(self) -> tuple[float, float, float]:
        """Estimated accuracy with its interval, see :func:`accuracy_of`; NaN where there is none."""
        if not self.told_apart:
            return float("nan"), float("nan"), float("nan")
        return accuracy_of(self.links, np.array([len(x) for x in self.tracklets], dtype=float), self.halves)

    def __str__(self) -> str:
        shares = f"{self.num_detections} detections in {len(self.tracklets)} tracklets, {self.num_open} left open"
        if not self.told_apart:
            return (
                f"the objects cannot be told apart by their looks ({self.halves}): no identities, but numbers of "
                f"tracklets for {shares}; {self.seconds:.0f} s"
            )
        estimate = "their accuracy is not known, since the exact test has too few halves"
        accuracy, low, high = (100 * x for x in self.accuracy)
        if not np.isnan(accuracy):
            estimate = f"estimated accuracy {accuracy:.1f} % ({low:.1f} to {high:.1f})"
        return f"{len(self.labels)} identities for {shares}; {estimate}; {self.halves}; {self.seconds:.0f} s"


def identify(
    detector: VideoTracker,
    open_video: Callable[[], FrameStream],
    *,
    num_instances: int | None = None,
    known: Gallery | None = None,
    edits: Sequence[Edit] = (),
    iterations: int,
    seed: int = 0,
) -> Identification:
    """Find out who is who in a video.

    Args:
        detector: Detector; its tracker is not used.
        open_video: Function that opens the video, which is read twice.
        num_instances: Number of objects, all of which are in at least one frame together; None: it is not known, and
            objects may come and go.
        known: Identities of an earlier video; the same objects keep their numbers.
        edits: Corrections of an earlier result on the same video.
        iterations: Steps of training.
        seed: Seed of the training.

    Raises:
        VideoReadError: If the video cannot be read.
        CorrectionError: If corrections contradict the footage.
        ValueError: If there is nothing to tell apart, or the number of objects does not fit.
    """
    start = time.perf_counter()
    footage = WholeVideo.detect(detector, open_video)
    tracklets, different = _tracklets(footage, edits)
    every = -(-sum(map(len, tracklets)) // MAX_CROPS) or 1
    thinned = [x.thinned(every) for x in tracklets]
    length = known.length if known else footage.usual_length(thinned)
    crops = footage.crops(thinned, length)

    parts, of, cuts = cut_in_halves(thinned, max(MIN_HALF // every, 2))
    # Where all objects are in one frame, those that never meet need not be kept apart.
    objective = tracklet_contrast if num_instances else partial(tracklet_contrast, doubt=DOUBT)
    encoder = train_encoder(
        [*parts, *(known.tracklets() if known else ())],
        [*values_of_parts(parts, of, thinned, crops), *(known.crops if known else ())],
        iterations=iterations,
        seed=seed,
        start=known.encoder if known else None,
        objective=objective,
    )
    embeddings = [encoder.embed(x) for x in crops]
    by_part = values_of_parts(parts, of, thinned, embeddings)
    halves = match_halves(np.stack([unit_mean(x) for x in by_part]), cuts)
    logger.info("exact test: %s", halves)
    appearance = fit_appearance(by_part, cuts)
    told_apart = not halves.is_conclusive or halves.interval[0] > halves.chance
    means = np.stack([unit_mean(x) for x in embeddings])
    looks = appearance if num_instances else fit_reappearance(by_part, cuts, embeddings, meetings(tracklets))
    links = Links(np.arange(len(tracklets)), np.zeros(len(tracklets)), np.full(len(tracklets), -1))
    if told_apart:
        # Places do not help looks that are known to tell the objects apart: where one is lost, another one is near.
        places = not halves.is_conclusive
        links = link(footage, tracklets, means, looks or assumed_appearance(), num_instances, different, places=places)
    labels = np.arange(links.num_identities)
    if known is not None and told_apart:
        lengths = np.array([len(x) for x in tracklets])
        labels = recognize(known, links, means, lengths, appearance or assumed_appearance(), encoder)
        logger.info("%d of %d identities are known ones", np.isin(labels, known.labels).sum(), len(labels))
    seconds = time.perf_counter() - start
    return Identification(
        footage,
        tracklets,
        every,
        crops,
        embeddings,
        links,
        labels,
        halves,
        appearance,
        encoder,
        length,
        told_apart,
        seconds,
    )


def _tracklets(footage: WholeVideo, edits: Sequence[Edit]) -> tuple[list[Tracklet], list[tuple[int, int]]]:
    """Certain tracklets, joined by corrections, and pairs of them that are certainly different."""
    found = footage.certain_tracklets(MIN_LENGTH)
    tracklets, different, unknown = apply_corrections(found, footage.frames, edits)
    total = sum(map(len, footage.frames))
    logger.info("%d certain tracklets of %d of %d detections", len(tracklets), sum(map(len, tracklets)), total)
    if unknown:
        logger.warning("%d corrected pairs of detections are of no certain tracklet, and say nothing", unknown)
    return tracklets, different


def link(
    footage: WholeVideo,
    tracklets: Sequence[Tracklet],
    means: np.ndarray,
    appearance: Appearance | Reappearance,
    num_instances: int | None,
    different: Sequence[tuple[int, int]] = (),
    *,
    places: bool = False,
) -> Links:
    """Identities of tracklets, of a closed set if their number is given; doubtful ones are left open.

    Args:
        footage: Detections of the video.
        tracklets: T tracklets.
        means: (T, D) unit vectors, their mean embeddings.
        appearance: Calibrated evidence from embeddings.
        num_instances: Number of objects, or None.
        different: Pairs of tracklets that are certainly different.
        places: Whether the places where tracklets end and begin count, too.
    """
    motion = fit_motion(tracklets, [footage.centers_of(x) for x in tracklets], footage.size) if places else None
    first, last = footage.ends(tracklets)
    evidence = Evidence(tracklets, means, appearance, motion=motion, first=first, last=last, different=different)
    links = link_closed(evidence, num_instances) if num_instances else link_open(evidence)
    return leave_open(links, MIN_PROBABILITY)


def values_of_parts(
    parts: Sequence[Tracklet], of: Sequence[int], tracklets: Sequence[Tracklet], values: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Values (T, ...) of each part, from those of the tracklets that the parts are of."""
    cut = []
    for part, index in zip(parts, of):
        start = tracklets[index].position(int(part.frames[0]))
        cut.append(values[index][start : start + len(part)])
    return cut
