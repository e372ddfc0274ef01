"""Identities of look-alikes in a video: certain tracklets, an embedding learnt from them, and a closed set."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from detectron2.structures import Instances
from pycocotools import mask as mask_util

from ictrack.data.video_io import FrameStream
from ictrack.identities import (
    CropCutter,
    HalvesTest,
    Tracklet,
    assign_identities,
    certain_tracklets,
    cut_in_halves,
    match_halves,
    train_encoder,
)
from ictrack.identities.crop_encoder import groups_by_frame
from ictrack.identities.crops import length_of
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_formats import write_tracks

from .frame_tracks import to_frame_tracks
from .video_tracker import VideoTracker

logger = logging.getLogger(__name__)

# Largest number of crops in memory (150 MB); longer videos are read at every other frame, every third, ...
MAX_CROPS = 20_000
# Smallest number of frames of a tracklet, and of the halves of a cut one.
MIN_LENGTH, MIN_HALF = 4, 8
# Objects whose lengths decide the scale of the crops, and the share of them that a crop holds.
_MEASURED, _HELD = 2000, 99


@dataclass(frozen=True)
class Identification:
    """Result of :func:`identify`.

    Attributes:
        num_instances: Number of identities; 0 if the objects cannot be told apart, and tracklets are numbered instead.
        halves: Exact test of the embedding.
        num_tracklets, num_detections: Tracklets and detections with an identity.
        num_open: Detections without one: objects that touch, and tracklets that are too short.
        seconds: Time that it took.
    """

    num_instances: int
    halves: HalvesTest
    num_tracklets: int
    num_detections: int
    num_open: int
    seconds: float

    def __str__(self) -> str:
        shares = f"{self.num_detections} detections in {self.num_tracklets} tracklets, {self.num_open} left open"
        if self.num_instances:
            return f"{self.num_instances} identities for {shares}; {self.halves}; {self.seconds:.0f} s"
        return (
            f"the objects cannot be told apart by their looks ({self.halves}): no identities, but numbers of tracklets "
            f"for {shares}; {self.seconds:.0f} s"
        )


def identify(
    detector: VideoTracker,
    open_video: Callable[[], FrameStream],
    path: str | os.PathLike,
    *,
    num_instances: int | None = None,
    iterations: int = 300,
    seed: int = 0,
) -> Identification:
    """Find out who is who in a video, and write the tracks.

    Args:
        detector: Detector; its tracker is not used.
        open_video: Function that opens the video, which is read twice.
        path: File of the tracks, in the format of its suffix.
        num_instances: Number of objects; None: the usual number that is seen at once.
        iterations: Steps of training.
        seed: Seed of the training.

    Raises:
        VideoReadError: If the video cannot be read.
        ValueError: If there is nothing to tell apart, or the number of objects does not fit.
    """
    start = time.perf_counter()
    with open_video() as stream:
        info = detector.video_info(stream)
        frames = list(_detect(detector, stream))
    tracklets = certain_tracklets(frames, MIN_LENGTH)
    total = sum(map(len, tracklets))
    logger.info("%d certain tracklets of %d detections", len(tracklets), total)
    every = -(-total // MAX_CROPS) or 1
    thinned = [tracklet.thinned(every) for tracklet in tracklets]
    tracklets = [tracklet for tracklet, thin in zip(tracklets, thinned) if len(thin)]
    thinned = [thin for thin in thinned if len(thin)]
    with open_video() as stream:
        crops = _cut(stream, frames, thinned)
    parts, of, cuts = cut_in_halves(thinned, max(MIN_HALF // every, 2))
    encoder = train_encoder(parts, _crops_of_parts(parts, of, thinned, crops), iterations=iterations, seed=seed)
    embeddings = [encoder.embed(x) for x in crops]
    by_part = _crops_of_parts(parts, of, thinned, embeddings)
    halves = match_halves(_means(by_part), cuts)
    logger.info("exact test: %s", halves)
    if halves.pairs and halves.interval[0] <= halves.chance:
        num_instances, identities = 0, np.arange(len(tracklets))
    else:
        num_instances = num_instances or usual_number(tracklets)
        identities = assign_identities(tracklets, _means(embeddings), num_instances)
    tracked = _with_identities(frames, tracklets, identities)
    write_tracks(path, info, tracked)
    found = sum(len(frame) for frame in tracked)
    num_open = sum(len(frame) for frame in frames) - found
    seconds = time.perf_counter() - start
    return Identification(num_instances, halves, len(tracklets), found, num_open, seconds)


def usual_number(tracklets: Sequence[Tracklet]) -> int:
    """Number of tracklets that are most often seen at once; the larger of equals."""
    counts = Counter(len(members) for members in groups_by_frame(tracklets).values())
    return max(counts, key=lambda number: (counts[number], number))


def _detect(detector: VideoTracker, stream: FrameStream) -> Iterator[FrameTracks]:
    for index, frame in stream:
        found: Instances = detector.detect(frame, stream.frame_record(index)).to("cpu")
        name, seconds = stream.frame_name(index), stream.frame_time(index)
        yield replace(to_frame_tracks(found, index, file_name=name, time=seconds), ids=None)


def _cut(stream: FrameStream, frames: Sequence[FrameTracks], tracklets: Sequence[Tracklet]) -> list[np.ndarray]:
    """(T, 40, 64, 3) crops of each tracklet."""
    by_index = {frame.index: frame for frame in frames}
    wanted: dict[int, list[tuple[int, int, int]]] = {}  # frame -> tracklet, position, row
    for number, tracklet in enumerate(tracklets):
        for position, (index, row) in enumerate(zip(tracklet.frames.tolist(), tracklet.rows.tolist())):
            wanted.setdefault(index, []).append((number, position, row))
    every = max(1, sum(map(len, tracklets)) // _MEASURED)
    places = [(index, row) for index, rows in wanted.items() for _, _, row in rows][::every]
    lengths = [length_of(_mask(by_index[index], row, (stream.height, stream.width))) for index, row in places]
    cutter = CropCutter(float(np.percentile(lengths, _HELD))) if lengths else CropCutter(1.0)
    crops: list[list[np.ndarray]] = [[] for _ in tracklets]
    for index, image in stream:
        for number, _, row in wanted.get(index, ()):
            crops[number].append(cutter(image, _mask(by_index[index], row, image.shape[:2])))
    return [np.stack(x) for x in crops]


def _mask(frame: FrameTracks, row: int, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool mask of a detection, or its box."""
    if frame.rles is not None:
        return mask_util.decode(frame.rles[row]).astype(bool)
    mask = np.zeros(size, dtype=bool)
    x0, y0, x1, y1 = frame.boxes[row].round().astype(int)
    mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    return mask


def _crops_of_parts(
    parts: Sequence[Tracklet], of: Sequence[int], tracklets: Sequence[Tracklet], values: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Values (T, ...) of each part, from those of the tracklets that the parts are of."""
    cut = []
    for part, index in zip(parts, of):
        start = tracklets[index].position(int(part.frames[0]))
        cut.append(values[index][start : start + len(part)])
    return cut


def _means(embeddings: Sequence[np.ndarray]) -> np.ndarray:
    """(N, D) unit vectors: the mean of each tracklet's embeddings."""
    means = np.stack([x.mean(axis=0) for x in embeddings])
    return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)


def _with_identities(
    frames: Sequence[FrameTracks], tracklets: Sequence[Tracklet], identities: np.ndarray
) -> list[FrameTracks]:
    """Frames with the detections that have an identity, by rising identity."""
    known: dict[int, dict[int, int]] = {}
    for tracklet, identity in zip(tracklets, identities.tolist()):
        if identity >= 0:
            for index, row in zip(tracklet.frames.tolist(), tracklet.rows.tolist()):
                known.setdefault(index, {})[identity] = row
    tracked = []
    for frame in frames:
        of_frame = dict(sorted(known.get(frame.index, {}).items()))
        rows = np.array(list(of_frame.values()), dtype=np.int64)
        tracked.append(
            replace(
                frame,
                scores=frame.scores[rows],
                classes=frame.classes[rows],
                boxes=frame.boxes[rows],
                ids=np.array(list(of_frame), dtype=np.int64),
                rles=None if frame.rles is None else [frame.rles[row] for row in rows.tolist()],
                keypoints=None if frame.keypoints is None else frame.keypoints[rows],
            )
        )
    return tracked
