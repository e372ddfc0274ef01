"""Association of N detections with M tracks by embeddings: similarity, softmax and Eq. (1), as pure functions.

Every association computes two arrays: ``scores`` (N, M), how well detection n continues track m, and ``new_scores``
(N,), the score of "detection n is a new object". Detection n may continue track m iff ``scores[n, m] >=
new_scores[n]``. The functions of :mod:`.assignment` then give every detection at most one track and every track at
most one detection, so that an identity is unique in a frame.

Shapes: N detections, M tracks, D embedding dimensions, P parts (joints) with an embedding each. A part whose embedding
is 0 is absent. All arrays are NumPy; no argument is modified.
"""

from __future__ import annotations

import math

import numpy as np

from .overlap import box_area, point_distance

# Keeps logarithms finite: the smallest normal float32.
_TINY = float(np.finfo(np.float32).tiny)
# Largest difference of logits at which their exponentials relative to the largest are normal float32 numbers.
_MAX_SPREAD = 80.0
# Difference of similarities that only orders equals, but is far above float32's rounding.
_HAIR = 1e-4
# Finite distance beyond all others, whose square is finite.
_FAR = float(np.sqrt(np.finfo(np.float32).max))


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """L2-normalized rows of ``vectors`` (..., D); a zero row stays zero (its cosine with anything is 0)."""
    norms = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))
    return vectors / np.maximum(norms, _TINY)[..., None]


def cosine_similarity(detections: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Cosines (N, M) between the **unit** rows of ``detections`` (N, D) and ``tracks`` (M, D).

    For parts (N, P, D) and (M, P, D), the mean cosine over the parts present in both; 0 if none is.
    """
    if detections.ndim == 2:
        return detections @ tracks.T
    size = detections.shape[1] * detections.shape[2]  # -1 would have no meaning without any row
    total = detections.reshape(-1, size) @ tracks.reshape(-1, size).T
    shared = _present(detections).astype(total.dtype) @ _present(tracks).astype(total.dtype).T
    return total / np.maximum(shared, 1)


def distance_similarity(detections: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Minus the Euclidean distance (N, M) of embeddings (N, D) and (M, D), for tags that are single numbers.

    For parts (N, P, D) and (M, P, D), minus the mean distance over the parts present in both; if none is, a finite
    value below all others.
    """
    if detections.ndim == 2:
        return -np.linalg.norm(detections[:, None] - tracks, axis=2)
    distance = point_distance(detections, _present(detections), tracks, _present(tracks))
    return -np.minimum(distance, _FAR)


def distance_and_cosine_similarity(detections: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Mean (N, M) of minus the distance of scalar tags and the cosine of vectors.

    Args:
        detections, tracks: (N, 1 + D) and (M, 1 + D), a tag and a **unit** vector; or parts (N, P, 1 + D) and
            (M, P, 1 + D), compared by the mean over the parts present in both. A part is absent if its vector is 0.
    """
    (tags, vectors), (track_tags, track_vectors) = ((x[..., :1], x[..., 1:]) for x in (detections, tracks))
    cosine = cosine_similarity(vectors, track_vectors)
    if detections.ndim == 2:
        return 0.5 * (cosine + distance_similarity(tags, track_tags))
    distance = point_distance(tags, _present(vectors), track_tags, _present(track_vectors))
    return 0.5 * (cosine - np.minimum(distance, _FAR))


def blend_embeddings(old: np.ndarray, new: np.ndarray, momentum: float) -> np.ndarray:
    """Blend momentum * new + (1 - momentum) * old, (N, D) or (N, P, D); a part absent on one side is the other's."""
    blended = momentum * new + (1 - momentum) * old
    if new.ndim == 2:
        return blended
    in_new, in_old = _present(new)[..., None], _present(old)[..., None]
    return np.where(in_new & in_old, blended, np.where(in_new, new, old))


def _present(parts: np.ndarray) -> np.ndarray:
    """Mask (N, P) of the parts (N, P, D) that are not 0."""
    return np.asarray((parts != 0).any(axis=2))


def bidirectional_softmax(
    logits: np.ndarray,
    dummy_logit: float | None = None,
    detection_counts: np.ndarray | None = None,
    track_counts: np.ndarray | None = None,
    work: np.ndarray | None = None,
    columns: np.ndarray | slice = slice(None),
) -> np.ndarray:
    """Mean of the softmax over tracks and the softmax over detections.

    QDTrack's similarity (github.com/SysCV/qdtrack), which the paper adopts because there is no trained "new object"
    class. In its literal form a 1 x 1 matrix gives 1 whatever the similarity, so the only detection of a frame can
    never be a new object beside a single track. A dummy column ("none of the tracks") and a dummy row ("none of the
    detections") with the logit ``dummy_logit`` take part in the two normalizations and are removed again; then 1 x 1
    gives sigmoid(logit - dummy_logit).

    Args:
        logits: (N, M) cosines times the scale kappa, N and M at least 1.
        dummy_logit: Logit of the dummies, or None for the literal form.
        detection_counts, track_counts: (N,) and (M,) number of equals that embeddings cannot distinguish, itself
            included. They count as one in the denominators: five equals would share the 1 of a certain match, and be
            new objects in every frame. None: 1 each.
        work: (N, M) array for the exponentials, which may be ``logits``; None: a new one.
        columns: Tracks (K,) whose similarities are returned; all take part in the softmaxes.

    Returns:
        (N, K) similarities in [0, 1].
    """
    # Exponentials that are far smaller than the dummy's, which is in all sums, may vanish.
    peak, lowest = logits.max(), logits.min() if dummy_logit is None else dummy_logit
    peak = max(peak, lowest)
    track_weights, detection_weights = _weights(track_counts), _weights(detection_counts)
    if peak - lowest > _MAX_SPREAD:
        along_tracks = _softmax(logits, 1, dummy_logit, track_weights)
        return (0.5 * (along_tracks + _softmax(logits, 0, dummy_logit, detection_weights)))[:, columns]
    # Both softmaxes share the exponentials, and their sums are products with a vector.
    if max(peak, -lowest) > _MAX_SPREAD / 2:
        logits = np.subtract(logits, logits.dtype.type(peak), out=work)
    else:
        peak = 0.0
    exponentials = np.exp(logits, out=work)
    dummy = 0.0 if dummy_logit is None else math.exp(dummy_logit - peak)
    of_tracks, of_detections = (
        np.ones(length, dtype=logits.dtype) if weights is None else weights.astype(logits.dtype)
        for length, weights in zip(logits.shape[::-1], (track_weights, detection_weights))
    )
    row_sums, column_sums = exponentials @ of_tracks + dummy, (of_detections @ exponentials + dummy)[columns]
    exponentials = exponentials[:, columns]
    if track_weights is None and detection_weights is None:
        exponentials *= (0.5 / row_sums)[:, None] + 0.5 / column_sums
        return exponentials
    along_tracks = np.minimum(exponentials / row_sums[:, None], 1)
    return 0.5 * (along_tracks + np.minimum(exponentials / column_sums, 1))


def _weights(counts: np.ndarray | None) -> np.ndarray | None:
    """Weights 1 / counts; None if all are 1."""
    return None if counts is None or (counts == 1).all() else 1 / counts


def _softmax(logits: np.ndarray, axis: int, dummy_logit: float | None, weights: np.ndarray | None) -> np.ndarray:
    """Softmax along ``axis``, with one further entry of ``dummy_logit`` in the denominator unless it is None.

    The denominator's entries have ``weights`` of at most 1; results are clipped at 1, which near equals exceed.
    """
    peak = logits.max(axis=axis, keepdims=True)
    if dummy_logit is not None:
        peak = np.maximum(peak, logits.dtype.type(dummy_logit))
    exponentials = np.exp(logits - peak)
    if weights is None:
        total = exponentials.sum(axis=axis, keepdims=True)
    else:
        total = (exponentials * np.expand_dims(weights.astype(logits.dtype), 1 - axis)).sum(axis=axis, keepdims=True)
    if dummy_logit is not None:
        total += np.exp(dummy_logit - peak)
    exponentials /= total
    return exponentials if weights is None else np.minimum(exponentials, 1)


def equal_rows(similarity: np.ndarray, largest: float, tolerance: float) -> np.ndarray:
    """Mask (N, N) of the pairs of embeddings that cannot be distinguished.

    Args:
        similarity: (N, N) similarity of the embeddings with each other.
        largest: Similarity of equal embeddings: 1 for cosines, 0 for distances.
        tolerance: Largest difference to ``largest`` that counts as equal.
    """
    equal = similarity >= largest - tolerance
    np.fill_diagonal(equal, True)
    return equal


def settle_by_position(
    similarity: np.ndarray,
    equal_detections: np.ndarray,
    equal_tracks: np.ndarray,
    detection_boxes: np.ndarray,
    track_boxes: np.ndarray,
) -> np.ndarray:
    """Similarities (N, M) in which equals are ordered by position alone.

    Pairs of equals get the mean of their similarities, so that rounding does not order them, plus up to _HAIR, the more
    the nearer their centers are, relative to the track's size. All other pairs are unchanged.

    Args:
        similarity: (N, M) similarities.
        equal_detections, equal_tracks: (N, N) and (M, M) results of :func:`equal_rows`.
        detection_boxes, track_boxes: (N, 4) and (M, 4) XYXY boxes.
    """
    several = (equal_detections.sum(axis=1) > 1)[:, None] | (equal_tracks.sum(axis=1) > 1)
    rows, columns = (equal / equal.sum(axis=1, keepdims=True) for equal in (equal_detections, equal_tracks))
    centers, track_centers = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (detection_boxes, track_boxes))
    distance = np.linalg.norm(centers[:, None] - track_centers, axis=2) / np.sqrt(np.maximum(box_area(track_boxes), 1))
    settled = rows @ similarity @ columns.T + _HAIR / (1 + distance)
    return np.where(several, settled, similarity).astype(similarity.dtype)


def post_process(
    similarity: np.ndarray,
    confidence: np.ndarray,
    iou: np.ndarray,
    same_category: np.ndarray,
    *,
    threshold: float,
    alpha: float,
    beta: float,
    gamma: float,
    form: str = "linear",
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of Eq. (1), and the corresponding scores of a new object.

    * ``"linear"``, as printed: s(n, m) = sim(n, m) + alpha c(n) + beta IoU(b_n, b_m) + gamma delta(c_n, c_m)
    * ``"log"`` (MaskTrack R-CNN, with (alpha, beta, gamma) = (1, 2, 10)): log sim and log c in place of sim and c.
    * ``"fixed"``: s as in ``"linear"``, against a fixed threshold.

    In the first two a new object has the similarity ``threshold``, IoU 0 and, like MaskTrack R-CNN's dummy column,
    delta = 1: s_new(n) = threshold + alpha c(n) + gamma, with logarithms accordingly. So alpha cancels out of the
    decision and only orders detections that contest a track; another category has to make up for gamma, a veto when it
    is large. In ``"fixed"`` s_new(n) = threshold, the paper's literal form: a confident detection continues a track
    more readily, and a gamma above the threshold accepts everything of the same category.

    Args:
        similarity: (N, M) similarities in [0, 1].
        confidence: (N,) detection scores c(n) in [0, 1].
        iou: (N, M) IoU of the boxes (the paper's b is a box).
        same_category: (N, M) mask, the Kronecker delta.
        threshold: Similarity below which a detection is a new object, all else being equal; "fixed": the score s.
        alpha, beta, gamma: Weights of confidence, IoU and category.
        form: "linear", "log" or "fixed".

    Returns:
        scores (N, M) and new_scores (N,), of the similarity's data type.

    Raises:
        ValueError: ``form`` is unknown.
    """
    new = np.asarray(threshold, dtype=similarity.dtype)
    if form == "log":
        similarity, confidence, new = (np.log(np.maximum(value, _TINY)) for value in (similarity, confidence, new))
    elif form not in ("linear", "fixed"):
        raise ValueError(f'TRACKER_HEADS.POST_PROCESSING.FORM {form!r} is none of "linear", "log" and "fixed"')
    bonus = alpha * confidence
    scores = similarity + beta * iou
    scores += bonus[:, None]
    scores += gamma * same_category.astype(similarity.dtype)
    return scores, np.broadcast_to(new, bonus.shape) if form == "fixed" else new + bonus + gamma
