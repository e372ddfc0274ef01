"""Scores of YouTube-VIS results in one pass: every mask is read once, every overlap is computed once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ictrack.structures.json_files import AnnotationError, no_garbage_collection

from .matching import VideoMatches
from .precision_recall import RankedDetections
from .read_tracks import TrackReader
from .score_video import VideoScorer, score_videos
from .video_ap import PROTOCOLS, VideoAPResult

if TYPE_CHECKING:
    from ..association.counts import AssociationCounts

logger = logging.getLogger(__name__)

METRICS = ("ap", "hota", "clear", "identity")


class VideoEvaluation:
    """Scores of one results file.

    Attributes:
        ap: Average precision by protocol, without protocols that cannot score the data.
        hota, clear, identity: Association scores; None if not requested.
        warnings: Lines of a message and the first JSON paths that it is about.
        errors: Reason, with a JSON path, of each protocol that cannot score the data.
    """

    def __init__(
        self, ap: dict[str, VideoAPResult], warnings: list[str], errors: dict[str, str], resampling: _Resampling
    ) -> None:
        self.ap = ap
        association = resampling.association.results() if resampling.association else {}
        self.hota, self.clear, self.identity = map(association.get, METRICS[1:])
        self.warnings = warnings
        self.errors = errors
        self._resampling = resampling

    def resample(self, weights: np.ndarray) -> dict[str, float]:
        """Headline scores of a draw of videos, for :mod:`..bootstrap`.

        Detections of equal score in a video that is drawn several times are taken together.

        Args:
            weights: (V,) whole numbers, how often each video of the ground truth, in its order, counts. Ones give the
                scores of the data exactly.

        Returns:
            "official.AP", "strict.AR10", ... (the 12 scores of each protocol that can score), "hota.HOTA",
            "clear.MOTA", "identity.IDF1", ... (of the counts summed over categories). NaN where nothing can be
            measured.

        Raises:
            ValueError: there are not as many weights as videos, or they are no whole numbers.
        """
        return self._resampling.scores(np.asarray(weights))


@no_garbage_collection()
def evaluate_videos(
    gt: Mapping[str, Any],
    pred: Sequence[Mapping[str, Any]],
    *,
    metrics: Sequence[str] = METRICS,
    protocols: Sequence[str] = PROTOCOLS,
    class_agnostic: bool = False,
    workers: int = 1,
) -> VideoEvaluation:
    """Average precision, HOTA, CLEAR MOT and Identity of YouTube-VIS results, on mask IoU.

    Args:
        gt: Content of an annotation file. ``iscrowd`` (default 0) and ``areas`` (default: the masks') may be missing.
        pred: Content of a ``results.json``. Masks may be in any of the ground truth's forms.
        metrics: Names in ``METRICS``.
        protocols: Protocols of average precision, see :mod:`.video_ap`.
        class_agnostic: Whether a detection may match a ground truth of any category; all are one, named "object".
        workers: Number of processes that share the videos. The scores do not depend on it.

    Raises:
        AnnotationError: the data cannot be scored, or not by the only protocol; the message has the JSON path.
        ValueError: a metric or protocol is unknown, or there is no worker.
    """
    for kind, names, known in (("metric", metrics, METRICS), ("protocol", protocols, PROTOCOLS)):
        for name in names:
            if name not in known:
                raise ValueError(f"{kind} must be one of {', '.join(known)}, not {name!r}")
    if workers < 1:
        raise ValueError(f"there must be at least one worker, not {workers}")
    reader = TrackReader(gt, pred, class_agnostic=class_agnostic)
    scorer = VideoScorer(
        reader,
        [name for name in PROTOCOLS if name in protocols and "ap" in metrics],
        [name for name in METRICS[1:] if name in metrics],
    )
    video_ids = list(reader.videos)
    num_categories = len(reader.categories)
    resampling = _Resampling(reader.categories, len(video_ids), scorer.association)
    matches: dict[str, list[dict[int, VideoMatches]]] = {
        protocol: [{} for _ in range(num_categories)] for protocol in scorer.protocols
    }
    errors: dict[str, str] = {}
    # Detections are pooled by rising video id, whatever the order in the file.
    order = sorted(range(len(video_ids)), key=lambda v: video_ids[v])
    for video, score in zip(order, score_videos(scorer, [video_ids[v] for v in order], workers)):
        reader.warnings.update(score.warnings)
        errors = {**score.errors, **errors}
        for protocol, by_category in score.matches.items():
            for k, match in by_category.items():
                matches[protocol][k][video] = match
        if resampling.association is not None:
            for k, rows in score.counts.items():
                resampling.association.add(video, rows, k)
    if errors and len(scorer.protocols) == 1:
        raise AnnotationError(errors[scorer.protocols[0]])
    ap = resampling.rank({protocol: matches[protocol] for protocol in scorer.protocols if protocol not in errors})
    return VideoEvaluation(ap, reader.warnings.lines(), errors, resampling)


def evaluate_video_ap(
    gt: Mapping[str, Any],
    pred: Sequence[Mapping[str, Any]],
    *,
    class_agnostic: bool = False,
    protocol: str = "official",
) -> VideoAPResult:
    """Average precision of :func:`evaluate_videos` alone; warnings are logged."""
    evaluation = evaluate_videos(gt, pred, metrics=("ap",), protocols=(protocol,), class_agnostic=class_agnostic)
    for warning in evaluation.warnings:
        logger.warning("%s", warning)
    return evaluation.ap[protocol]


class _Resampling:
    """Ranked detections and counts of every video, to be weighted for each draw."""

    def __init__(self, categories: tuple[tuple[int, str], ...], num_videos: int, association: Sequence[str]) -> None:
        self._categories = categories
        self._num_videos = num_videos
        self._ranked: dict[str, list[RankedDetections]] = {}
        self.association: AssociationCounts | None = None
        if association:
            from ..association.counts import AssociationCounts  # loads SciPy, which precision does not need

            self.association = AssociationCounts(num_videos, association, [name for _, name in categories])

    def rank(self, matches: Mapping[str, Sequence[Mapping[int, VideoMatches]]]) -> dict[str, VideoAPResult]:
        """Average precision of each protocol from its K categories' matches by position of the video."""
        results: dict[str, VideoAPResult] = {}
        for protocol, by_category in matches.items():
            twin = next((other for other in results if _are_same(matches[other], by_category)), None)
            if twin is None:
                ranked = [RankedDetections(list(one.values()), list(one), self._num_videos) for one in by_category]
                results[protocol] = VideoAPResult.measure(ranked, self._categories, np.ones(self._num_videos))
            else:
                ranked, results[protocol] = self._ranked[twin], results[twin]
            self._ranked[protocol] = ranked
        return results

    def scores(self, weights: np.ndarray) -> dict[str, float]:
        if weights.shape != (self._num_videos,) or (weights < 0).any() or (weights != np.floor(weights)).any():
            raise ValueError(f"weights must be {self._num_videos} whole numbers, one a video")
        scores: dict[str, float] = {}
        # Protocols that agree on the data share their detections.
        distinct = {id(ranked): ranked for ranked in self._ranked.values()}
        summaries = {
            key: VideoAPResult.measure(ranked, self._categories, weights).summary() for key, ranked in distinct.items()
        }
        for protocol, ranked in self._ranked.items():
            scores.update({f"{protocol}.{key}": value for key, value in summaries[id(ranked)].items()})
        return scores | (self.association.resample(weights) if self.association else {})


def _are_same(one: Sequence[Mapping[int, VideoMatches]], other: Sequence[Mapping[int, VideoMatches]]) -> bool:
    return all(a.keys() == b.keys() and all(a[v] is b[v] for v in a) for a, b in zip(one, other))
