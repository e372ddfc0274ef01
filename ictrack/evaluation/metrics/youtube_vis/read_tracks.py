"""Ground truth and results of YouTube-VIS as tracks by video and category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ictrack.structures.json_files import index_by_id, is_finite, is_int, is_whole, require

from ..data_warnings import DataWarnings
from .track_masks import TrackMasks


def categories_of(gt: Mapping[str, Any], class_agnostic: bool) -> tuple[tuple[int, str], ...]:
    """Pairs (id, name) of the categories by ascending id; only (0, "object") if class-agnostic."""
    if class_agnostic:
        return ((0, "object"),)
    return tuple(sorted((c["id"], str(c.get("name", c["id"]))) for c in gt["categories"]))


@dataclass(frozen=True)
class VideoTracks:
    """Tracks of one video, grouped by category.

    Attributes:
        gt, pred: Positions (G,) in ``annotations`` and (D,) in the results, in the results' order within a category.
        gt_masks, pred_masks: Masks of these tracks.
        groups: Position in :func:`categories_of`, rows in ``gt`` and rows in ``pred`` of each category with tracks.
    """

    gt: list[int]
    pred: list[int]
    gt_masks: TrackMasks
    pred_masks: TrackMasks
    groups: list[tuple[int, slice, slice]]


class TrackReader:
    """Ground truth and results by video and category; masks are read video by video."""

    def __init__(self, gt: Mapping[str, Any], pred: Sequence[Mapping[str, Any]], *, class_agnostic: bool) -> None:
        """
        Args:
            gt: Content of an annotation file.
            pred: Content of a ``results.json``.
            class_agnostic: Whether all categories are one, "object".

        Raises:
            AnnotationError: an annotation or a result has an unknown video, an annotation has an unknown category, or a
                result has no finite score or no list of segmentations.
        """
        require(isinstance(pred, (list, tuple)), "results", "must be a list of tracks")
        self.videos = index_by_id(gt["videos"], "videos")
        self.annotations: Sequence[dict[str, Any]] = gt.get("annotations") or []
        self.pred: Sequence[Any] = pred
        self.categories = categories_of(gt, class_agnostic)
        self.warnings = DataWarnings()
        position = {category["id"]: 0 for category in gt["categories"]}
        if not class_agnostic:
            position = {category: k for k, (category, _) in enumerate(self.categories)}
        # Video id -> position of the category -> positions in annotations, in results.
        self._by_video: dict[int, dict[int, tuple[list[int], list[int]]]] = {video_id: {} for video_id in self.videos}
        for i, annotation in enumerate(self.annotations):
            for key, known in (("video_id", self.videos), ("category_id", position)):
                value = annotation.get(key)
                require(is_int(value) and value in known, f"annotations[{i}].{key}", f"there is none with id {value!r}")
            self._group(annotation, position)[0].append(i)
        for i in self._scorable(position):
            self._group(pred[i], position)[1].append(i)

    def read(self, video_id: int, *, max_detections: int | None = None) -> VideoTracks:
        """Tracks of one video.

        Args:
            video_id: Id in ``videos``.
            max_detections: Number of results of each category, by descending score, the earlier of equals; None: all.

        Raises:
            AnnotationError: a segmentation is no mask.
        """
        gt: list[int] = []
        pred: list[int] = []
        groups = []
        for category, (annotated, predicted) in self._by_video[video_id].items():
            if max_detections is not None and len(predicted) > max_detections:
                predicted = sorted(sorted(predicted, key=lambda i: -self.pred[i]["score"])[:max_detections])
            rows = slice(len(gt), len(gt) + len(annotated)), slice(len(pred), len(pred) + len(predicted))
            groups.append((category, *rows))
            gt += annotated
            pred += predicted
        size = (self.videos[video_id]["height"], self.videos[video_id]["width"])
        return VideoTracks(
            gt,
            pred,
            TrackMasks.read([self.annotations[i] for i in gt], [f"annotations[{i}]" for i in gt], size),
            TrackMasks.read([self.pred[i] for i in pred], [f"results[{i}]" for i in pred], size),
            groups,
        )

    def _group(self, entry: Mapping[str, Any], position: Mapping[int, int]) -> tuple[list[int], list[int]]:
        return self._by_video[entry["video_id"]].setdefault(position[entry["category_id"]], ([], []))

    def _scorable(self, known_categories: Mapping[int, Any]) -> Iterator[int]:
        """Positions of the results in known categories; others are added to the warnings."""
        for i, result in enumerate(self.pred):
            path = f"results[{i}]"
            require(isinstance(result, dict), path, "must be an object")
            video, category, score = result.get("video_id"), result.get("category_id"), result.get("score")
            require(is_whole(video) and video in self.videos, f"{path}.video_id", f"there is no video {video!r}")
            require(is_whole(category), f"{path}.category_id", f"must be an integer, not {category!r}")
            require(is_finite(score), f"{path}.score", f"must be a finite number, not {score!r}")
            require(isinstance(result.get("segmentations"), list), f"{path}.segmentations", "must be a list")
            if category in known_categories:
                yield i
            else:
                self.warnings.add("a category that the ground truth lacks; not scored", f"{path}.category_id")
