"""The whole method on a video: ``ictrack identify`` as users run it, its tracker online, and its tracklets alone."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from detectron2.config import CfgNode

from ictrack.data.video_io import open_frames
from ictrack.engine.identify import MIN_HALF, MIN_LENGTH, Identification, identify, link, values_of_parts
from ictrack.engine.identity_files import CONFIG_FILE, write_identification
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import Tracklet, cut_in_halves, unit_mean
from ictrack.structures.frame_tracks import FrameTracks

from .exact import matched_by_identities, without_middle
from .reference import agreement, in_every_frame, of_tracks, passages, reference_objects
from .rows import Cost, row

logger = logging.getLogger(__name__)

# Learnt identities, those of the online tracker with the same embedding, and every certain tracklet by itself.
FULL, ONLINE, UNLINKED = "full", "online", "unlinked"


def run_whole(
    cfg: CfgNode,
    video: Path,
    seeds: Sequence[int],
    *,
    num_instances: int,
    iterations: int,
    reference: np.ndarray | None,
) -> Iterator[dict[str, object]]:
    """Rows of a video, without its name: see ``rows.COLUMNS``.

    Args:
        cfg: Configuration of the detector.
        video: Video.
        seeds: Seeds of the training.
        num_instances: Number of objects.
        iterations: Steps of training.
        reference: (F, N, 2) places of another program, see :func:`.reference.read_trajectories`; None: there is none.
    """
    if reference is not None:
        start = time.process_time()
        footage = WholeVideo.detect(VideoTracker.from_config(cfg), lambda: open_frames(video))
        tracklets = footage.certain_tracklets(MIN_LENGTH)
        cost = Cost.since(start)
        alone = in_every_frame(tracklets, np.arange(len(tracklets)))
        yield from compared(UNLINKED, 0, footage, tracklets, alone, reference, cost)
    for seed in seeds:
        for found in _run_seed(cfg, video, seed, num_instances, iterations, reference):
            logger.info("%s", found)
            yield found


def compared(
    method: str,
    seed: int,
    footage: WholeVideo,
    tracklets: Sequence[Tracklet],
    numbers: Sequence[np.ndarray],
    reference: np.ndarray,
    cost: Cost,
) -> Iterator[dict[str, object]]:
    """Rows of identities against a reference: of detections, of passages that keep them, and the number of switches.

    Args:
        method, seed, cost: What was run.
        footage, tracklets: Its detections.
        numbers: Identities, see :mod:`.reference`.
        reference: (F, N, 2) places.
    """
    objects = reference_objects(footage, tracklets, reference)
    yield row(method, seed, "reference", *agreement(tracklets, numbers, objects, reference.shape[1]), cost)
    found = passages(tracklets, numbers, objects)
    yield row(method, seed, "passages", found.kept / max(found.total, 1), found.total, cost)
    yield row(method, seed, "switches", found.switched, found.total, cost)


def _run_seed(
    cfg: CfgNode, video: Path, seed: int, num_instances: int, iterations: int, reference: np.ndarray | None
) -> Iterator[dict[str, object]]:
    start = time.process_time()
    result = identify(
        VideoTracker.from_config(cfg),
        lambda: open_frames(video),
        num_instances=num_instances,
        iterations=iterations,
        seed=seed,
    )
    cost = Cost.since(start)
    yield from _exact_tests(result, seed, num_instances, cost)
    for test, share in zip(("estimate", "estimate_low", "estimate_high"), result.accuracy):
        yield row(FULL, seed, test, share, result.num_detections, cost)
    if reference is None:
        return
    linked = in_every_frame(result.tracklets, result.links.identities)
    yield from compared(FULL, seed, result.footage, result.tracklets, linked, reference, cost)
    if result.told_apart:
        start = time.process_time()
        tracks = _tracked_online(result, cfg, video)
        online = of_tracks(result.footage, result.tracklets, tracks)
        cost = Cost.since(start, cost.seconds)
        yield from compared(ONLINE, seed, result.footage, result.tracklets, online, reference, cost)


def _exact_tests(result: Identification, seed: int, num_instances: int, cost: Cost) -> Iterator[dict[str, object]]:
    """Exact tests of the links: both halves of a tracklet are to get one identity, among all other tracklets."""
    parts, of, cuts = cut_in_halves(result.tracklets, MIN_HALF)
    embeddings = [result.encoder.embed(x) for x in result.crops]
    by_part = values_of_parts(parts, of, result.tracklets, embeddings)
    means = np.stack([unit_mean(x) for x in by_part])
    for test, tested in (("halves", (parts, means, cuts)), ("cut", without_middle(parts, by_part, cuts))):
        shown, means, kept = tested
        identities = np.full(len(parts), -1)
        if result.appearance is not None and result.told_apart:
            places = not result.halves.is_conclusive
            identities = link(result.footage, shown, means, result.appearance, num_instances, places=places).identities
        share, pairs, by_cut = matched_by_identities(identities, kept)
        yield row(FULL, seed, test, share, pairs, cost, by_cut)


def _tracked_online(result: Identification, cfg: CfgNode, video: Path) -> list[FrameTracks]:
    """Tracks by the configuration that a result has for ``ictrack track``."""
    tracks: list[FrameTracks] = []
    with tempfile.TemporaryDirectory() as folder:
        write_identification(result, Path(folder), cfg)
        tracker = VideoTracker.from_config(load_config(str(Path(folder) / CONFIG_FILE), []))
        for _ in tracker.run(video, recorder=tracks.append):
            pass
    return tracks
