"""Association by position alone, on arrays: the paper's spatial-distance baseline, and IoU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.cocoeval import Params

from .base_tracker import ArrayTracker
from .detections import Detections, TrackerInputError, require_column, require_finite
from .overlap import box_area, box_iou, mask_iou, point_distance, pose_oks

COSTS = ("distance", "iou", "oks")


class SpatialArrayTracker(ArrayTracker):
    """Greedy association by position with each track's last known position, however long ago.

    * ``cost="distance"``: distance between mask centroids (without masks, mean distance of the joints valid in both;
      without keypoints, distance of box centers) over the square root of the track's area; at most ``max_distance``.
      The paper names a "spatial distance" baseline without details: this reading is inferred.
    * ``cost="iou"``: IoU of masks, or without masks of boxes; at least ``min_iou``.
    * ``cost="oks"``: object keypoint similarity with the track's pose, with its box's area; at least ``min_oks``.

    Every unmatched detection of score >= ``new_track_score`` starts a track; there is no separate rule for lost
    conflicts, as a near neighbor is no sign of a duplicate.
    """

    def __init__(
        self,
        *,
        cost: str,
        max_distance: float,
        min_iou: float,
        min_oks: float,
        same_category: bool,
        min_joint_score: float,
        sigmas: Sequence[float],
        new_track_score: float,
        **filters: Any,
    ) -> None:
        """
        Args:
            cost: "distance", "iou" or "oks".
            max_distance: Largest distance of a match, in square roots of the track's area.
            min_iou: Smallest IoU of a match.
            min_oks: Smallest OKS of a match.
            same_category: Whether only detections of a track's category may continue it.
            min_joint_score: Score above which a joint of `pred_keypoints` (x, y, score) is valid.
            sigmas: (J,) standard deviations of the joints, for OKS.
            new_track_score, filters: See :class:`ArrayTracker`.
        """
        super().__init__(new_track_score=new_track_score, conflict_new_track_score=new_track_score, **filters)
        if cost not in COSTS:
            raise ValueError(f"TRACKER_HEADS.SPATIAL.COST {cost!r} is none of {COSTS}")
        self.cost = cost
        self.compares = f"positions by {cost}"
        self.max_distance = max_distance
        self.min_iou = min_iou
        self.min_oks = min_oks
        self.same_category = same_category
        self.min_joint_score = min_joint_score
        self.sigmas = np.array(sigmas, dtype=np.float32)

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Constructor arguments from ``cfg.TRACKER_HEADS``."""
        filters = super().from_config(cfg)
        del filters["conflict_new_track_score"]
        spatial = cfg.TRACKER_HEADS.SPATIAL
        return {
            **filters,
            "cost": spatial.COST,
            "max_distance": spatial.MAX_DISTANCE,
            "min_iou": spatial.MIN_IOU,
            "min_oks": spatial.MIN_OKS,
            "same_category": spatial.SAME_CATEGORY,
            "min_joint_score": spatial.MIN_JOINT_SCORE,
            "sigmas": cfg.TEST.KEYPOINT_OKS_SIGMAS or Params("keypoints").kpt_oks_sigmas,
        }

    def _observe(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        if self.cost == "oks":
            return self._observe_pose(detections, rows)
        if self.cost == "distance":
            return self._observe_points(detections, rows)
        return _encode_masks(detections.column("pred_masks", rows)) if detections.has("pred_masks") else {}

    def _observe_points(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns `points` (N, P, 2) in pixels, `valid` (N, P) and `areas` (N,) in square pixels."""
        boxes = detections.column("pred_boxes", rows)
        points, areas = (boxes[:, None, :2] + boxes[:, None, 2:]) / 2, box_area(boxes)
        valid = np.ones(points.shape[:2], dtype=bool)
        if detections.has("pred_masks"):
            mask_centers, mask_areas = _mask_centers(detections.column("pred_masks", rows))
            # An empty mask has no centroid: its box is used.
            points = np.where(mask_areas[:, None, None] > 0, mask_centers[:, None], points)
            areas = np.where(mask_areas > 0, mask_areas, areas)
        elif detections.has("pred_keypoints"):
            points, valid = self._joints(detections, rows)
        return {"points": points, "valid": valid, "areas": areas}

    def _observe_pose(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Columns of :meth:`_observe_points`, from joints only."""
        points, valid = self._joints(detections, rows)
        if points.shape[1] != len(self.sigmas):
            raise TrackerInputError(
                f"`pred_keypoints` has {points.shape[1]} joints, but TEST.KEYPOINT_OKS_SIGMAS (COCO's if empty) has "
                f"{len(self.sigmas)}"
            )
        return {"points": points, "valid": valid, "areas": box_area(detections.column("pred_boxes", rows))}

    def _joints(self, detections: Detections, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (N, J, 2) in pixels, and whether they are valid, (N, J)."""
        keypoints = require_column(detections, "pred_keypoints", "OKS compares poses", rows)
        require_finite(keypoints, "pred_keypoints", rows)
        return keypoints[:, :, :2], keypoints[:, :, 2] > self.min_joint_score

    def _affinity(self, observed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        memory = self.memory
        if self.cost == "iou":
            scores, least = self._overlaps(observed), self.min_iou
        else:
            points = (observed["points"], observed["valid"], memory["points"], memory["valid"])
            areas = np.maximum(memory["areas"], 1)  # a smaller area would let no detection match
            if self.cost == "oks":
                scores, least = pose_oks(*points, areas, self.sigmas), self.min_oks
            else:
                scores, least = -point_distance(*points) / np.sqrt(areas), -self.max_distance
        if self.same_category:
            scores = np.where(observed["classes"][:, None] == memory["classes"], scores, -np.inf)
        return scores, np.full(len(scores), least, dtype=scores.dtype), np.arange(len(memory))

    def _overlaps(self, observed: Mapping[str, np.ndarray]) -> np.ndarray:
        if "masks" in observed:
            return mask_iou(_rles(observed), _rles(self.memory))
        return box_iou(observed["boxes"], self.memory["boxes"])


def _mask_centers(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (N, 2), x and y in pixels with pixel centers at .5, and areas (N,) of ``masks`` (N, H, W) bool."""
    counts = [masks.view(np.uint8).sum(axis=axis, dtype=np.int32) for axis in (1, 2)]
    columns, rows = (count.astype(np.float32) for count in counts)  # (N, W), (N, H)
    areas = rows.sum(axis=1)
    totals = np.stack([line @ (np.arange(line.shape[1], dtype=np.float32) + 0.5) for line in (columns, rows)], axis=1)
    return totals / np.maximum(areas, 1)[:, None], areas


def _encode_masks(masks: np.ndarray) -> dict[str, np.ndarray]:
    """Run-length encodings of ``masks`` (N, H, W) bool: `masks` (N,) bytes and `mask_sizes` (N, 2) height, width."""
    encoded = coco_mask.encode(np.asfortranarray(masks.view(np.uint8).transpose(1, 2, 0)))
    counts = np.empty(len(encoded), dtype=object)
    counts[:] = [rle["counts"] for rle in encoded]
    return {"masks": counts, "mask_sizes": np.array([rle["size"] for rle in encoded], dtype=np.int64).reshape(-1, 2)}


def _rles(columns: Any) -> list[dict]:
    return [{"size": size, "counts": counts} for size, counts in zip(columns["mask_sizes"].tolist(), columns["masks"])]
