"""Online tracker of the paper, on arrays: association by instance embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .assignment import assign_in_score_order, assign_optimally
from .association import (
    bidirectional_softmax,
    blend_embeddings,
    cosine_similarity,
    distance_and_cosine_similarity,
    distance_similarity,
    equal_rows,
    post_process,
    settle_by_position,
    unit_rows,
)
from .base_tracker import ArrayTracker
from .detections import Detections, TrackerInputError, require_column, require_finite
from .overlap import box_iou

ASSIGNMENTS = {"score_order": assign_in_score_order, "hungarian": assign_optimally}
# Similarity of embeddings, their first component that belongs to an L2-normalized vector (None: none does), and the
# similarity of equal embeddings.
SIMILARITIES = {
    "cosine": (cosine_similarity, 0, 1.0),
    "distance": (distance_similarity, None, 0.0),
    "distance_and_cosine": (distance_and_cosine_similarity, 1, 0.5),
}


class EmbeddingArrayTracker(ArrayTracker):
    """Tracker of Fu et al., CVPR 2021 (arXiv 2104.00287), supplementary section 1.

    Detections and tracks are compared by the cosine of their embeddings through a bi-directional softmax. With
    post-processing, Eq. (1) adds confidence, box IoU with the track's last box, and category; without it, categories
    play no part. Masks and keypoints are not read.

    New embeddings are L2-normalized, and a matched track's becomes unit(momentum * new + (1 - momentum) * old), so the
    memory holds unit vectors. Embeddings of several parts, (N, P, D), are normalized part by part, and compared by the
    mean over the parts that both have; an absent part is 0.

    Objects that embeddings cannot distinguish count as one in the softmaxes, and are told apart by their positions, so
    that a row of equal bottles keeps its identities. The literal form (no ``new_object_cosine``) has no such rule.

    Scalar tags of associative embedding have no direction: they are compared by minus their distance, without
    normalization. With a video head beside them, an embedding is a tag and then the video head's vector: the similarity
    is the mean of minus the tags' distance and the vectors' cosine, and only the vectors are normalized.
    """

    compares = "embeddings"

    def __init__(
        self,
        *,
        scale: float,
        new_object_cosine: float | None,
        match_threshold: float,
        momentum: float,
        assignment: str = "score_order",
        similarity: str = "cosine",
        equal_tolerance: float = 0.0,
        post_processing: Mapping[str, Any] | None = None,
        **filters: Any,
    ) -> None:
        """
        Args:
            scale: Factor kappa between similarities and the softmaxes' logits.
            new_object_cosine: Similarity of the dummy row and column; None is the literal bi-directional softmax.
            match_threshold: Similarity below which, for all tracks, a detection is a new object.
            momentum: Weight of the new embedding.
            assignment: "score_order" or "hungarian".
            similarity: "cosine", "distance" or "distance_and_cosine".
            equal_tolerance: Largest difference to the similarity of equal embeddings that counts as equal.
            post_processing: `form`, `alpha`, `beta` and `gamma` of Eq. (1), or None.
            filters: See :class:`ArrayTracker`.
        """
        super().__init__(**filters)
        if assignment not in ASSIGNMENTS:
            raise ValueError(f"TRACKER_HEADS.EMBEDDING.ASSIGNMENT {assignment!r} is none of {sorted(ASSIGNMENTS)}")
        if similarity not in SIMILARITIES:
            raise ValueError(f"TRACKER_HEADS.EMBEDDING.SIMILARITY {similarity!r} is none of {sorted(SIMILARITIES)}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"TRACKER_HEADS.EMBEDDING.MOMENTUM must be a weight between 0 and 1, not {momentum}")
        self.scale = scale
        self.new_object_cosine = new_object_cosine
        self.match_threshold = match_threshold
        self.momentum = momentum
        self.assign = ASSIGNMENTS[assignment]
        self.compare, self.vector_start, self.similarity_of_equals = SIMILARITIES[similarity]
        self.equal_tolerance = equal_tolerance
        self.post_processing = post_processing

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Constructor arguments from ``cfg.TRACKER_HEADS``."""
        embedding, post = cfg.TRACKER_HEADS.EMBEDDING, cfg.TRACKER_HEADS.POST_PROCESSING
        constants = {"form": post.FORM, "alpha": post.ALPHA, "beta": post.BETA, "gamma": post.GAMMA}
        return {
            **super().from_config(cfg),
            "scale": embedding.SCALE,
            "new_object_cosine": embedding.NEW_OBJECT_COSINE if embedding.DUMMY else None,
            "match_threshold": embedding.MATCH_THRESHOLD,
            "momentum": embedding.MOMENTUM,
            "assignment": embedding.ASSIGNMENT,
            "similarity": embedding.SIMILARITY,
            "equal_tolerance": embedding.EQUAL_TOLERANCE,
            "post_processing": constants if post.ENABLED else None,
        }

    def _observe(self, detections: Detections, rows: np.ndarray) -> dict[str, np.ndarray]:
        remedy = "set MODEL.EMBEDDING.NAME, or choose a TRACKER_HEADS.TRACKER_NAME that works without them"
        embeddings = require_column(detections, "embeddings", remedy, rows)
        if embeddings.ndim not in (2, 3):
            raise TrackerInputError(f"`embeddings` has the shape {embeddings.shape}, must be (N, D) or (N, P, D)")
        if self.vector_start == 1 and embeddings.shape[-1] < 3:
            raise TrackerInputError(
                f"`embeddings` of {embeddings.shape[-1]} numbers are no tag and vector, as "
                "TRACKER_HEADS.EMBEDDING.SIMILARITY distance_and_cosine needs: set it to distance"
            )
        if self.vector_start == 0 and embeddings.shape[-1] == 1:
            raise TrackerInputError(
                "`embeddings` are single numbers, whose cosine is 1 or -1: "
                "set TRACKER_HEADS.EMBEDDING.SIMILARITY distance"
            )
        require_finite(embeddings, "embeddings", rows)
        return {"embeddings": self._normalized(embeddings)}

    def _normalized(self, embeddings: np.ndarray) -> np.ndarray:
        if self.vector_start is None:
            return embeddings
        if self.vector_start == 0:
            return unit_rows(embeddings)
        tags, vectors = np.split(embeddings, [self.vector_start], axis=-1)
        return np.concatenate([tags, unit_rows(vectors)], axis=-1)

    def _affinity(self, observed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        similarity, candidates = self._similarity(observed)
        if self.post_processing is None:
            return similarity, np.full(len(similarity), self.match_threshold, dtype=similarity.dtype), candidates
        scores, new_scores = post_process(
            similarity,
            observed["scores"],
            box_iou(observed["boxes"], self.memory["boxes"]),
            observed["classes"][:, None] == self.memory["classes"],
            threshold=self.match_threshold,
            **self.post_processing,
        )
        return scores, new_scores, candidates

    def _similarity(self, observed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Similarities (N, K) by the softmaxes, and the rows (K,) of the memory that can be continued by them."""
        memory = self.memory
        compared, everything = self._compare(observed), np.arange(len(memory))
        if self.new_object_cosine is None:
            compared *= self.scale
            return bidirectional_softmax(compared, work=compared), everything
        # Only tracks that some detection resembles are compared with each other; the others of a long memory hardly
        # count. Below the dummy's logit both softmaxes are below one half, or hardly above it among equals.
        near = np.flatnonzero(compared.max(axis=0) >= self.new_object_cosine)
        candidates = near if self.post_processing is None and self.match_threshold >= 0.5 else everything
        equal_detections, equal_tracks = self._equal(observed["embeddings"]), self._equal(memory["embeddings"][near])
        some_equal = np.count_nonzero(equal_detections) + np.count_nonzero(equal_tracks) > len(compared) + len(near)
        detection_counts, track_counts = None, None
        if some_equal:
            detection_counts, track_counts = equal_detections.sum(axis=1), np.ones(len(memory), dtype=np.int64)
            track_counts[near] = equal_tracks.sum(axis=1)
        compared *= self.scale
        similarity = bidirectional_softmax(
            compared, self.scale * self.new_object_cosine, detection_counts, track_counts, compared, candidates
        )
        if some_equal:
            columns = np.searchsorted(candidates, near)
            similarity[:, columns] = settle_by_position(
                similarity[:, columns], equal_detections, equal_tracks, observed["boxes"], memory["boxes"][near]
            )
        return similarity, candidates

    def _compare(self, observed: Mapping[str, np.ndarray]) -> np.ndarray:
        return self.compare(observed["embeddings"], self.memory["embeddings"])

    def _equal(self, embeddings: np.ndarray) -> np.ndarray:
        return equal_rows(self.compare(embeddings, embeddings), self.similarity_of_equals, self.equal_tolerance)

    def _merge(self, tracks: np.ndarray, observed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        blended = blend_embeddings(self.memory["embeddings"][tracks], observed["embeddings"], self.momentum)
        return {"embeddings": self._normalized(blended)}
