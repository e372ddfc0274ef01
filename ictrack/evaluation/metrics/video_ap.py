"""Average precision and recall of tracks: the metric of YouTube-VIS 2019, 2021, 2022 and OVIS.

The protocol ``"official"`` gives the numbers of github.com/youtubevos/cocoapi (``ytvoseval.py``), its known bugs
included; ``"strict"`` mends them:

=====================================  ===================================  =======================================
case                                   official                             strict
=====================================  ===================================  =======================================
result list shorter than the video     the missing frames are not scored    the missing frames hold no mask
ground truth with annotation id 0      its detection is a false positive    an id like any other
a mask of another size than the video  the frame is left out                an error
=====================================  ===================================  =======================================

In both an empty list of results scores 0, and a damaged encoding, an unknown video or a score that is not finite is an
error (the official tool crashes, hangs, or does not notice).
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ictrack.structures.youtube_vis_json import AnnotationError, is_finite, is_int, require

from .track_iou import TrackMasks, track_iou

logger = logging.getLogger(__name__)

PROTOCOLS = ("official", "strict")
IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)
# Tracks of a video and category, by falling score, that count.
MAX_DETECTIONS = (1, 10, 100)
AREA_NAMES = ("all", "small", "medium", "large")
# Mean pixels of a track over its visible frames, both ends included.
AREA_RANGES = np.array([(0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10)])


@dataclass(frozen=True)
class VideoMatches:
    """What became of the D best detections of one video and category. A area ranges, T IoU thresholds.

    Attributes:
        scores: (D,) falling.
        matched: (A, T, D) bool, has a ground truth.
        ignored: (A, T, D) bool, neither right nor wrong.
        num_ground_truth: (A,) tracks to be found.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_ground_truth: np.ndarray


@dataclass(frozen=True)
class VideoAPResult:
    """Precision and recall over T thresholds, R recalls, K categories, A area ranges, M limits of detections.

    -1 where a category has nothing to find in an area range.

    Attributes:
        categories: (K,) (id, name).
        precision: (T, R, K, A, M).
        scores: (T, R, K, A, M), score at which that recall is reached.
        recall: (T, K, A, M).
    """

    categories: tuple[tuple[int, str], ...]
    precision: np.ndarray
    scores: np.ndarray
    recall: np.ndarray

    def summary(self) -> dict[str, float]:
        """The 12 official numbers as fractions: AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl."""
        return self._summarize(slice(None))

    def per_category(self) -> dict[str, dict[str, float]]:
        """The 12 numbers of each category, by name."""
        return {name: self._summarize(slice(k, k + 1)) for k, (_, name) in enumerate(self.categories)}

    def per_threshold(self) -> dict[str, list[float]]:
        """AP and AR100 at each IoU threshold."""
        return {
            "iou": IOU_THRESHOLDS.tolist(),
            "AP": [_mean(self.precision[t, :, :, 0, -1]) for t in range(len(IOU_THRESHOLDS))],
            "AR100": [_mean(self.recall[t, :, 0, -1]) for t in range(len(IOU_THRESHOLDS))],
        }

    def _summarize(self, k: slice) -> dict[str, float]:
        precision, recall = self.precision[:, :, k], self.recall[:, k]
        return {
            "AP": _mean(precision[..., 0, -1]),
            "AP50": _mean(precision[0, ..., 0, -1]),
            "AP75": _mean(precision[5, ..., 0, -1]),
            **{f"AP{AREA_NAMES[a][0]}": _mean(precision[..., a, -1]) for a in (1, 2, 3)},
            **{f"AR{limit}": _mean(recall[..., 0, m]) for m, limit in enumerate(MAX_DETECTIONS)},
            **{f"AR{AREA_NAMES[a][0]}": _mean(recall[..., a, -1]) for a in (1, 2, 3)},
        }


def evaluate_video_ap(
    ground_truth: dict[str, Any],
    results: Sequence[dict[str, Any]],
    *,
    class_agnostic: bool = False,
    protocol: str = "official",
) -> VideoAPResult:
    """AP and AR of YouTube-VIS results.

    Args:
        ground_truth: the content of an annotation file. ``iscrowd`` may be missing (0), ``areas`` too (of the masks).
        results: the content of a ``results.json``. Masks may be in any of the ground truth's forms.
        class_agnostic: all categories are one, named "object".
        protocol: "official" or "strict"; see the table at the top of this module.

    Raises:
        AnnotationError: with the JSON path of what cannot be scored.
    """
    matches = match_videos(ground_truth, results, class_agnostic=class_agnostic, protocol=protocol)
    categories = categories_of(ground_truth, class_agnostic)
    videos = sorted(video["id"] for video in ground_truth["videos"])
    return accumulate([[matches[v, k] for v in videos if (v, k) in matches] for k, _ in categories], categories)


def categories_of(ground_truth: dict[str, Any], class_agnostic: bool) -> tuple[tuple[int, str], ...]:
    """(id, name) of each category by ascending id; only (0, "object") if class-agnostic."""
    if class_agnostic:
        return ((0, "object"),)
    return tuple(sorted((c["id"], str(c.get("name", c["id"]))) for c in ground_truth["categories"]))


@dataclass(frozen=True)
class TrackGroup:
    """The tracks of one video and category.

    Attributes:
        video_id, category: ids; the category is 0 if class-agnostic.
        truth, found: (G,), (D,) positions in ``annotations`` and in the results.
        truth_masks, found_masks: their masks.
    """

    video_id: int
    category: int
    truth: list[int]
    found: list[int]
    truth_masks: TrackMasks
    found_masks: TrackMasks


def read_groups(
    ground_truth: dict[str, Any],
    results: Sequence[dict[str, Any]],
    *,
    class_agnostic: bool,
    max_detections: int | None = None,
) -> Iterator[TrackGroup]:
    """Tracks by video and category, one video in memory at a time.

    Results of a category that the ground truth does not have are left out, with a warning that counts them.

    Args:
        ground_truth, results, class_agnostic: as for :func:`evaluate_video_ap`.
        max_detections: only the best of a video and category, by falling score, equals in the results' order. None:
            all of them, in the results' order.

    Raises:
        AnnotationError: a result of an unknown video, or without a finite score or masks.
    """
    videos = {video["id"]: video for video in ground_truth["videos"]}
    annotations = ground_truth.get("annotations") or []
    by_video: dict[int, dict[int, tuple[list[int], list[int]]]] = {
        video_id: defaultdict(lambda: ([], [])) for video_id in videos
    }
    for i, annotation in enumerate(annotations):
        by_video[annotation["video_id"]][0 if class_agnostic else annotation["category_id"]][0].append(i)
    for i in _scorable(results, videos, {category["id"] for category in ground_truth["categories"]}):
        by_video[results[i]["video_id"]][0 if class_agnostic else results[i]["category_id"]][1].append(i)

    for video_id, groups in by_video.items():
        size = (videos[video_id]["height"], videos[video_id]["width"])
        if max_detections is not None:
            for _, found in groups.values():
                found.sort(key=lambda i: -results[i]["score"])
                del found[max_detections:]
        all_truth = [i for truth, _ in groups.values() for i in truth]
        all_found = [i for _, found in groups.values() for i in found]
        truth_masks = TrackMasks.read(
            [annotations[i] for i in all_truth], [f"annotations[{i}]" for i in all_truth], size
        )
        found_masks = TrackMasks.read([results[i] for i in all_found], [f"results[{i}]" for i in all_found], size)
        next_truth = next_found = 0
        for category, (truth, found) in groups.items():
            truth_rows = range(next_truth, next_truth := next_truth + len(truth))
            found_rows = range(next_found, next_found := next_found + len(found))
            yield TrackGroup(
                video_id, category, truth, found, truth_masks.take(truth_rows), found_masks.take(found_rows)
            )


def _scorable(results: Sequence[dict[str, Any]], videos: Container[int], categories: Container[int]) -> list[int]:
    """Positions of the results of known categories; a warning counts the others."""
    scorable = []
    unknown: Counter[int] = Counter()
    for i, result in enumerate(results):
        path = f"results[{i}]"
        require(isinstance(result, dict), path, "must be an object")
        video: Any = result.get("video_id")
        category: Any = result.get("category_id")
        score = result.get("score")
        require(is_int(video) and video in videos, f"{path}.video_id", f"there is no video {video!r}")
        require(is_int(category), f"{path}.category_id", f"must be an integer, not {category!r}")
        require(is_finite(score), f"{path}.score", f"must be a finite number, not {score!r}")
        require(isinstance(result.get("segmentations"), list), f"{path}.segmentations", "must be a list")
        if category in categories:
            scorable.append(i)
        else:
            unknown[category] += 1
    if unknown:
        logger.warning(
            "Left out %d results of categories that the ground truth lacks: %s", sum(unknown.values()), sorted(unknown)
        )
    return scorable


def match_videos(
    ground_truth: dict[str, Any], results: Sequence[dict[str, Any]], *, class_agnostic: bool, protocol: str
) -> dict[tuple[int, int], VideoMatches]:
    """Matches of every (video id, category id) that has ground truth or results."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {PROTOCOLS}, not {protocol!r}")
    strict = protocol == "strict"
    videos = {video["id"]: video for video in ground_truth["videos"]}
    matches = {}
    num_short = 0
    for group in read_groups(ground_truth, results, class_agnostic=class_agnostic, max_detections=MAX_DETECTIONS[-1]):
        video = videos[group.video_id]
        if strict:
            size = [video["height"], video["width"]]
            _check_sizes(group.truth_masks, "annotations", group.truth, size)
            _check_sizes(group.found_masks, "results", group.found, size)
        num_short += int((group.found_masks.lengths < len(video["file_names"])).sum())
        annotations = [ground_truth["annotations"][i] for i in group.truth]
        matches[group.video_id, group.category] = match_tracks(
            track_iou(group.found_masks, group.truth_masks, cut_to_shorter=not strict),
            np.array([results[i]["score"] for i in group.found], dtype=float),
            group.found_masks.mean_areas(),
            _annotated_areas(annotations, group.truth_masks),
            np.array([bool(annotation.get("iscrowd", 0)) for annotation in annotations], dtype=bool),
            np.array([strict or annotation["id"] != 0 for annotation in annotations], dtype=bool),
        )
    if num_short:
        logger.warning(
            "%d results have fewer segmentations than their video has frames; %s",
            num_short,
            "the missing ones hold no mask" if strict else "the official protocol does not score the missing ones",
        )
    return matches


def match_tracks(
    iou: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    truth_areas: np.ndarray,
    crowd: np.ndarray,
    counts_as_match: np.ndarray,
) -> VideoMatches:
    """Greedy matching of D detections to G ground truths, for all area ranges and thresholds at once.

    Each detection takes the free ground truth of highest IoU that reaches the threshold, the later of equals, and one
    that is ignored (crowd, or outside the area range) only if no other fits. A crowd stays free.

    Args:
        iou: (D, G).
        scores: (D,) falling.
        areas: (D,) mean areas; a detection without a match that lies outside the range is ignored.
        truth_areas: (G,) mean areas.
        crowd: (G,) bool.
        counts_as_match: (G,) bool; False where the official tool takes the annotation's id 0 for "no match".
    """
    num_detections, num_truth = iou.shape
    shape = (len(AREA_RANGES), len(IOU_THRESHOLDS))
    low, high = AREA_RANGES.T
    truth_ignored = crowd | (truth_areas < low[:, None]) | (truth_areas > high[:, None])  # (A, G)
    matched = np.zeros((*shape, num_detections), dtype=bool)
    ignored = np.zeros((*shape, num_detections), dtype=bool)
    free = np.ones((*shape, num_truth), dtype=bool)
    area_index, threshold_index = np.indices(shape)
    for d in np.flatnonzero(iou.max(axis=1, initial=0.0) >= IOU_THRESHOLDS[0]):
        fits = free & (iou[d] >= IOU_THRESHOLDS[:, None])  # (A, T, G)
        preferred = fits & ~truth_ignored[:, None, :]
        any_preferred = preferred.any(axis=2, keepdims=True)
        candidates = np.where(any_preferred, preferred, fits)
        best = num_truth - 1 - np.where(candidates, iou[d], -1.0)[..., ::-1].argmax(axis=2)  # (A, T)
        hit = candidates.any(axis=2)
        matched[..., d] = hit & counts_as_match[best]
        ignored[..., d] = hit & truth_ignored[area_index, best]
        taken = hit & ~crowd[best]
        free[area_index[taken], threshold_index[taken], best[taken]] = False
    outside = (areas < low[:, None]) | (areas > high[:, None])  # (A, D)
    ignored |= ~matched & outside[:, None, :]
    return VideoMatches(scores, matched, ignored, (~truth_ignored).sum(axis=1))


def accumulate(matches: Sequence[Sequence[VideoMatches]], categories: Sequence[tuple[int, str]]) -> VideoAPResult:
    """Precision and recall from the matches of each category's videos, in the order of their pooling.

    Args:
        matches: (K,) lists of videos' matches.
        categories: (K,) (id, name).
    """
    shape = (len(IOU_THRESHOLDS), len(RECALL_THRESHOLDS), len(categories), len(AREA_RANGES), len(MAX_DETECTIONS))
    precision, scores = -np.ones(shape), -np.ones(shape)
    recall = -np.ones((shape[0], *shape[2:]))
    for k, videos in enumerate(matches):
        num_truth = sum((video.num_ground_truth for video in videos), np.zeros(len(AREA_RANGES), dtype=np.int64))
        if not num_truth.any():
            continue
        for m, limit in enumerate(MAX_DETECTIONS):
            pooled = np.concatenate([video.scores[:limit] for video in videos])
            order = np.argsort(-pooled, kind="stable")
            matched = np.concatenate([video.matched[..., :limit] for video in videos], axis=2)[..., order]
            ignored = np.concatenate([video.ignored[..., :limit] for video in videos], axis=2)[..., order]
            for a in np.flatnonzero(num_truth):
                precision[:, :, k, a, m], scores[:, :, k, a, m], recall[:, k, a, m] = _curves(
                    matched[a] & ~ignored[a], ~matched[a] & ~ignored[a], pooled[order], num_truth[a]
                )
    return VideoAPResult(tuple(categories), precision, scores, recall)


def _curves(
    right: np.ndarray, wrong: np.ndarray, scores: np.ndarray, num_truth: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and score at each recall threshold, (T, R), and the last recall, (T,), of pooled detections (T, N)."""
    num_thresholds, num_detections = right.shape
    precision = np.zeros((num_thresholds, len(RECALL_THRESHOLDS)))
    score_at = np.zeros_like(precision)
    if num_detections == 0:
        return precision, score_at, np.zeros(num_thresholds)
    true_positives = np.cumsum(right, axis=1, dtype=float)
    false_positives = np.cumsum(wrong, axis=1, dtype=float)
    recall = true_positives / num_truth
    raw = true_positives / (false_positives + true_positives + np.spacing(1))
    envelope = np.maximum.accumulate(raw[:, ::-1], axis=1)[:, ::-1]
    for t in range(num_thresholds):
        index = np.searchsorted(recall[t], RECALL_THRESHOLDS, side="left")
        reached = index < num_detections
        precision[t, reached] = envelope[t, index[reached]]
        score_at[t, reached] = scores[index[reached]]
    return precision, score_at, recall[:, -1]


def _mean(values: np.ndarray) -> float:
    """Mean of what is measured, -1 if nothing is."""
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def _annotated_areas(annotations: Iterable[dict[str, Any]], masks: TrackMasks) -> np.ndarray:
    """Mean areas (G,): from ``areas``, which need not agree with the masks; from the masks where it is missing."""
    areas = masks.mean_areas()
    for i, annotation in enumerate(annotations):
        if annotation.get("areas") is not None:
            visible = [area for area in annotation["areas"] if area]
            areas[i] = np.array(visible).mean() if visible else 0.0
    return areas


def _check_sizes(tracks: TrackMasks, key: str, positions: Sequence[int], size: list[int]) -> None:
    for i, rles in zip(positions, tracks.rles):
        for t, rle in enumerate(rles):
            if rle is not None and list(rle["size"]) != size:
                raise AnnotationError(
                    f"{key}[{i}].segmentations[{t}].size: is {list(rle['size'])}, the video's frames are {size}"
                )
