"""The share of one video in all figures, and many videos shared by processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ictrack.structures.json_files import no_garbage_collection

from .matching import IOU_THRESHOLDS, MAX_DETECTIONS, VideoMatches, annotated_areas, match_tracks
from .read_tracks import Oddities, TrackReader, VideoTracks
from .track_iou import PairOverlaps, pair_overlaps, track_iou, track_iou_from
from .track_masks import TrackMasks


@dataclass
class VideoScore:
    """What a video adds to the figures. Categories are positions among the reader's.

    Attributes:
        oddities: what is odd about its tracks.
        errors: protocol -> why it cannot score the video.
        matches: protocol -> category -> matches, for the average precision.
        counts: association metric -> category -> counts.
    """

    oddities: Oddities = field(default_factory=Oddities)
    errors: dict[str, str] = field(default_factory=dict)
    matches: dict[str, dict[int, VideoMatches]] = field(default_factory=dict)
    counts: dict[str, dict[int, np.ndarray]] = field(default_factory=dict)


class VideoScorer:
    """Scores one video at a time; nothing of it is kept."""

    def __init__(self, reader: TrackReader, protocols: Sequence[str], association: Sequence[str]) -> None:
        """
        Args:
            reader: of ground truth and results.
            protocols: of the average precision; empty: none is asked for.
            association: names of association metrics.
        """
        self.reader = reader
        self.protocols = tuple(protocols)
        self.association = tuple(association)

    def score(self, video_id: int) -> VideoScore:
        """Raises AnnotationError if a segmentation is no mask."""
        score = VideoScore(
            matches={protocol: {} for protocol in self.protocols}, counts={name: {} for name in self.association}
        )
        length = len(self.reader.videos[video_id]["file_names"])
        tracks = self.reader.read(video_id, max_detections=None if self.association else MAX_DETECTIONS[-1])
        self._note_oddities(tracks, length, score.oddities)
        if "strict" in self.protocols and (reason := _other_size(tracks)):
            score.errors["strict"] = reason
        protocols = [protocol for protocol in self.protocols if protocol not in score.errors]
        annotations = [self.reader.annotations[i] for i in tracks.truth]
        truth_areas = annotated_areas(annotations, tracks.truth_masks)
        crowd = np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], dtype=bool)
        has_id = np.array([annotation["id"] != 0 for annotation in annotations], dtype=bool)
        scores = np.array([self.reader.results[i]["score"] for i in tracks.found], dtype=float)
        areas = tracks.found_masks.mean_areas()
        for category, truth, found in tracks.groups:
            overlap = _GroupOverlap(tracks.found_masks.take(found), tracks.truth_masks.take(truth))
            if self.association:
                self._count(category, overlap, length, score)
            best = np.argsort(-scores[found], kind="stable")[: MAX_DETECTIONS[-1]]
            agree = overlap.have_one_length and has_id[truth].all()
            for protocol in protocols:
                if agree and protocol != protocols[0]:
                    score.matches[protocol][category] = score.matches[protocols[0]][category]
                    continue
                score.matches[protocol][category] = match_tracks(
                    overlap.track_iou(best, cut_to_shorter=protocol == "official"),
                    scores[found][best],
                    areas[found][best],
                    truth_areas[truth],
                    crowd[truth],
                    has_id[truth] | (protocol == "strict"),
                )
        return score

    def _count(self, category: int, overlap: _GroupOverlap, length: int, score: VideoScore) -> None:
        from ..association.combine import ASSOCIATION_METRICS  # loads SciPy, which precision does not need
        from .mask_sequence import mask_sequence

        sequence = mask_sequence(overlap.truth, overlap.found, overlap.pairs, length)
        for name in self.association:
            score.counts[name][category] = ASSOCIATION_METRICS[name].row(sequence)

    def _note_oddities(self, tracks: VideoTracks, length: int, oddities: Oddities) -> None:
        for key, positions, masks in _sides(tracks):
            for row in np.flatnonzero(masks.lengths < length).tolist():
                oddities.add(_SHORT, f"{key}[{positions[row]}].segmentations")
            for row in np.flatnonzero(masks.lengths > length).tolist():
                oddities.add(_LONG, f"{key}[{positions[row]}].segmentations")
            for row, frame in np.argwhere(masks.other_size).tolist():
                oddities.add(_OTHER_SIZE, f"{key}[{positions[row]}].segmentations[{frame}].size")
        for i in tracks.truth:
            if self.reader.annotations[i]["id"] == 0 and "official" in self.protocols:
                oddities.add(_ID_ZERO, f"annotations[{i}].id")
        first: dict[tuple[Any, ...], int] = {}
        for i in tracks.found:
            result = self.reader.results[i]
            other = self.reader.results[first.setdefault((result["category_id"], result["score"]), i)]
            if other is not result and other["segmentations"] == result["segmentations"]:
                oddities.add(_COPY, f"results[{i}]")


class _GroupOverlap:
    """What the tracks of one video and category have in common."""

    def __init__(self, found: TrackMasks, truth: TrackMasks) -> None:
        self.found, self.truth = found, truth

    @property
    def have_one_length(self) -> bool:
        lengths = np.concatenate([self.found.lengths, self.truth.lengths])
        return bool((lengths == lengths[0]).all())

    @cached_property
    def pairs(self) -> PairOverlaps:
        return pair_overlaps(self.found, self.truth)

    def track_iou(self, best: np.ndarray, *, cut_to_shorter: bool) -> np.ndarray:
        """IoU (B, G) of the detections at positions ``best``; where it cannot matter it may be 0."""
        if len(self.truth) == 0:
            return np.zeros((len(best), 0))
        if "pairs" in vars(self):
            return track_iou(self.found, self.truth, cut_to_shorter=cut_to_shorter, overlaps=self.pairs)[best]
        return track_iou_from(IOU_THRESHOLDS[0], self.found.take(best), self.truth, cut_to_shorter=cut_to_shorter)


def _other_size(tracks: VideoTracks) -> str:
    """What is wrong with the first mask of another size than the video's; empty if there is none."""
    for key, positions, masks in _sides(tracks):
        for row, frame in np.argwhere(masks.other_size).tolist():
            rle = masks.rles[row][frame]
            assert rle is not None
            return (
                f"{key}[{positions[row]}].segmentations[{frame}].size: is {list(rle['size'])}, "
                f"the video's frames are {list(masks.size)}"
            )
    return ""


_SHORT = (
    "fewer entries than the video has frames; the official protocol does not score the missing ones, everything else "
    "takes them for empty"
)
_LONG = "more entries than the video has frames; association leaves them out"
_OTHER_SIZE = (
    "a mask of another size than the video's frames; the official protocol leaves a frame out where two sizes differ, "
    "the strict one cannot score it, association takes the masks for disjoint"
)
_ID_ZERO = "the id 0, which the official protocol takes for no match; the strict one does not"
_COPY = "a copy of another track of the same video, category and score"


def _sides(tracks: VideoTracks) -> tuple[tuple[str, list[int], TrackMasks], ...]:
    return ("annotations", tracks.truth, tracks.truth_masks), ("results", tracks.found, tracks.found_masks)


def score_videos(scorer: VideoScorer, video_ids: Sequence[int], workers: int) -> Iterator[VideoScore]:
    """The scores of videos in their order.

    Args:
        scorer: scores them.
        video_ids: of the scorer's reader.
        workers: processes; one: this one.

    Raises:
        AnnotationError: from the first video whose segmentations are no masks.
    """
    workers = min(workers, len(video_ids))
    if workers <= 1:
        yield from map(scorer.score, video_ids)
        return
    # Not needed, and not quick to import, where one process does it all.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Forked processes share the parsed files with this one; where forking is unsafe they get a copy.
    context = get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(scorer,)) as pool:
        yield from pool.map(_score_in_worker, video_ids, chunksize=max(1, len(video_ids) // (8 * workers)))


_worker_scorer: VideoScorer


def _start_worker(scorer: VideoScorer) -> None:
    global _worker_scorer
    _worker_scorer = scorer


def _score_in_worker(video_id: int) -> VideoScore:
    with no_garbage_collection():
        return _worker_scorer.score(video_id)
