"""Matches and counts of one video, from which all scores are computed, and of many videos in several processes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ictrack.structures.json_files import no_garbage_collection

from ..data_warnings import DataWarnings
from .matching import IOU_THRESHOLDS, MAX_DETECTIONS, VideoMatches, annotated_areas, match_tracks
from .read_tracks import TrackReader, VideoTracks
from .track_iou import PairOverlaps, pair_overlaps, track_iou, track_iou_from
from .track_masks import TrackMasks


@dataclass
class VideoScore:
    """Matches and counts of one video. Categories are positions among the reader's.

    Attributes:
        warnings: Warnings about the video's tracks.
        errors: Reason of each protocol that cannot score the video.
        matches: Matches for the average precision, by protocol and category.
        counts: Results of :func:`~..association.counts.count_sequence`, by category.
    """

    warnings: DataWarnings = field(default_factory=DataWarnings)
    errors: dict[str, str] = field(default_factory=dict)
    matches: dict[str, dict[int, VideoMatches]] = field(default_factory=dict)
    counts: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)


class VideoScorer:
    """Scorer of one video at a time, of which nothing is kept."""

    def __init__(self, reader: TrackReader, protocols: Sequence[str], association: Sequence[str]) -> None:
        """
        Args:
            reader: Ground truth and results.
            protocols: Protocols of average precision; empty: none.
            association: Names of association metrics.
        """
        self.reader = reader
        self.protocols = tuple(protocols)
        self.association = tuple(association)

    def score(self, video_id: int) -> VideoScore:
        """Matches and counts of a video. Raises AnnotationError if a segmentation is no mask."""
        score = VideoScore(matches={protocol: {} for protocol in self.protocols})
        length = len(self.reader.videos[video_id]["file_names"])
        tracks = self.reader.read(video_id, max_detections=None if self.association else MAX_DETECTIONS[-1])
        self._warn(tracks, length, score.warnings)
        if "strict" in self.protocols and (reason := _other_size(tracks)):
            score.errors["strict"] = reason
        protocols = [protocol for protocol in self.protocols if protocol not in score.errors]
        annotations = [self.reader.annotations[i] for i in tracks.gt]
        gt_areas = annotated_areas(annotations, tracks.gt_masks)
        crowd = np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], dtype=bool)
        has_id = np.array([annotation["id"] != 0 for annotation in annotations], dtype=bool)
        scores = np.array([self.reader.pred[i]["score"] for i in tracks.pred], dtype=float)
        areas = tracks.pred_masks.mean_areas()
        for category, gt, pred in tracks.groups:
            overlap = _GroupOverlap(tracks.pred_masks.take(pred), tracks.gt_masks.take(gt))
            if self.association:
                score.counts[category] = self._count(overlap, length)
            best = np.argsort(-scores[pred], kind="stable")[: MAX_DETECTIONS[-1]]
            agree = overlap.have_one_length and has_id[gt].all()
            for protocol in protocols:
                if agree and protocol != protocols[0]:
                    score.matches[protocol][category] = score.matches[protocols[0]][category]
                    continue
                score.matches[protocol][category] = match_tracks(
                    overlap.track_iou(best, cut_to_shorter=protocol == "official"),
                    scores[pred][best],
                    areas[pred][best],
                    gt_areas[gt],
                    crowd[gt],
                    has_id[gt] | (protocol == "strict"),
                )
        return score

    def _count(self, overlap: _GroupOverlap, length: int) -> dict[str, np.ndarray]:
        from ..association.counts import count_sequence  # loads SciPy, which precision does not need
        from .mask_sequence import mask_sequence

        return count_sequence(mask_sequence(overlap.gt, overlap.pred, overlap.pairs, length), self.association)

    def _warn(self, tracks: VideoTracks, length: int, warnings: DataWarnings) -> None:
        for key, positions, masks in _sides(tracks):
            for row in np.flatnonzero(masks.lengths < length).tolist():
                warnings.add(_SHORT, f"{key}[{positions[row]}].segmentations")
            for row in np.flatnonzero(masks.lengths > length).tolist():
                warnings.add(_LONG, f"{key}[{positions[row]}].segmentations")
            for row, frame in np.argwhere(masks.other_size).tolist():
                warnings.add(_OTHER_SIZE, f"{key}[{positions[row]}].segmentations[{frame}].size")
        for i in tracks.gt:
            if self.reader.annotations[i]["id"] == 0 and "official" in self.protocols:
                warnings.add(_ID_ZERO, f"annotations[{i}].id")
        first: dict[tuple[Any, ...], int] = {}
        for i in tracks.pred:
            result = self.reader.pred[i]
            other = self.reader.pred[first.setdefault((result["category_id"], result["score"]), i)]
            if other is not result and other["segmentations"] == result["segmentations"]:
                warnings.add(_COPY, f"results[{i}]")


class _GroupOverlap:
    """Overlaps of the tracks of one video and category, computed on demand."""

    def __init__(self, pred: TrackMasks, gt: TrackMasks) -> None:
        self.pred, self.gt = pred, gt

    @property
    def have_one_length(self) -> bool:
        lengths = np.concatenate([self.pred.lengths, self.gt.lengths])
        return bool((lengths == lengths[0]).all())

    @cached_property
    def pairs(self) -> PairOverlaps:
        return pair_overlaps(self.pred, self.gt)

    def track_iou(self, best: np.ndarray, *, cut_to_shorter: bool) -> np.ndarray:
        """IoU (B, G) of the detections at positions ``best``; below the lowest threshold it may be 0."""
        if len(self.gt) == 0:
            return np.zeros((len(best), 0))
        if "pairs" in vars(self):
            return track_iou(self.pred, self.gt, cut_to_shorter=cut_to_shorter, overlaps=self.pairs)[best]
        return track_iou_from(IOU_THRESHOLDS[0], self.pred.take(best), self.gt, cut_to_shorter=cut_to_shorter)


def _other_size(tracks: VideoTracks) -> str:
    """Message about the first mask whose size differs from the video's; empty if there is none."""
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
    return ("annotations", tracks.gt, tracks.gt_masks), ("results", tracks.pred, tracks.pred_masks)


def score_videos(scorer: VideoScorer, video_ids: Sequence[int], workers: int) -> Iterator[VideoScore]:
    """Scores of videos in their order.

    Args:
        scorer: Scorer of a video.
        video_ids: Ids in the scorer's reader.
        workers: Number of processes; 1: this one.

    Raises:
        AnnotationError: a segmentation is no mask.
    """
    workers = min(workers, len(video_ids))
    if workers <= 1:
        yield from map(scorer.score, video_ids)
        return
    # Slow to import, and not needed by a single process.
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Forked processes share the parsed files; where forking is unsafe they get a copy.
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
