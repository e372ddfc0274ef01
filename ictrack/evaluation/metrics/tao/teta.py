"""TETA: localization, association and classification, each by itself, where not every object is annotated.

Reference: Li et al., "Tracking Every Thing in the Wild", ECCV 2022, and its code (github.com/SysCV/tet, ``teta``), with
whose scores the counts agree. Of the results only those are compared that are at least once on an object (IoU >= 0.5):
the local clusters of the paper, which take the place of exhaustive annotation. A result that is on an object of one
class, but assigned to one of another, is no false positive of the first.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np

from ..association.assignment import linear_sum_assignment
from .video import VideoObjects

# Smallest similarities of a true positive, up to rounding.
ALPHAS = np.arange(0.0, 0.99, 0.05)
# Of the classification, which is asked from 0.5 on: first index in ALPHAS.
_FIRST_CLASS_LEVEL = 10
# Smallest IoU that takes a result into the cluster of an object, exactly.
_CLUSTER_IOU = 0.5
_EPS = np.finfo(float).eps
_NONE = np.zeros(0, dtype=np.int64)

LOCATION_COUNTS = ("Loc_TP", "Loc_FN", "Loc_FP", "AssocA_sum", "AssocRe_sum", "AssocPr_sum")
CLASS_COUNTS = ("Cls_TP", "Cls_FN", "Cls_FP")
_NUM_LEVELS, _NUM_CLASS_LEVELS = len(ALPHAS), len(ALPHAS) - _FIRST_CLASS_LEVEL
# Size of a row of counts: the first over ALPHAS, then those of classes.
ROW_LENGTH = len(LOCATION_COUNTS) * _NUM_LEVELS + len(CLASS_COUNTS) * _NUM_CLASS_LEVELS


def teta_counts(objects: VideoObjects, categories: Container[int]) -> dict[int, np.ndarray]:
    """Counts (ROW_LENGTH,) in a video by category id, which add up over videos; classes without counts are left out.

    Args:
        objects: Objects of the video.
        categories: Ids of the classes that are scored.
    """
    assigned = _assignment(objects)
    counts: dict[int, dict[str, np.ndarray]] = {}
    for category in np.unique(np.concatenate([_NONE, *(gt.classes for gt in objects.gt)])).tolist():
        if category not in categories:
            continue
        in_gt = [gt.classes == category for gt in objects.gt]
        # Results on objects of this class, less those that belong to an object of another one.
        cluster = [
            near & np.append(inside, True)[taken]
            for near, inside, taken in zip(_clusters(objects, in_gt), in_gt, assigned)
        ]
        for name, more in _count(objects, category, in_gt, cluster).items():
            if name == category or name in categories:
                one = counts.setdefault(name, _zeros())
                for key, values in more.items():
                    one[key] += values
    return {category: np.concatenate(list(one.values())) for category, one in counts.items()}


def teta_scores(rows: np.ndarray) -> dict[str, np.ndarray]:
    """Scores (...) of counts (..., ROW_LENGTH): TETA, LocA, AssocA, ClsA, and recalls and precisions, as fractions;
    with the counts, means over their alphas."""
    split = len(LOCATION_COUNTS) * _NUM_LEVELS
    # By name, (..., alphas) each.
    counts = {
        name: values
        for names, part in ((LOCATION_COUNTS, rows[..., :split]), (CLASS_COUNTS, rows[..., split:]))
        for name, values in zip(names, np.split(part, len(names), axis=-1))
    }
    scores = {}
    for name in ("Loc", "Cls"):
        true, missed, wrong = (counts[f"{name}_{kind}"] for kind in ("TP", "FN", "FP"))
        scores[f"{name}A"] = true / np.maximum(1, true + missed + wrong)
        scores[f"{name}Re"] = true / np.maximum(1, true + missed)
        scores[f"{name}Pr"] = true / np.maximum(1, true + wrong)
    for name in ("AssocA", "AssocRe", "AssocPr"):
        scores[name] = counts[f"{name}_sum"] / np.maximum(1, counts["Loc_TP"])
    scores |= {name: counts[name] for name in (*LOCATION_COUNTS, *CLASS_COUNTS) if not name.endswith("_sum")}
    means = {name: values.mean(axis=-1) for name, values in scores.items()}
    return {"TETA": (means["LocA"] + means["AssocA"] + means["ClsA"]) / 3, **means}


def _zeros() -> dict[str, np.ndarray]:
    return {
        **{name: np.zeros(_NUM_LEVELS) for name in LOCATION_COUNTS},
        **{name: np.zeros(_NUM_CLASS_LEVELS) for name in CLASS_COUNTS},
    }


def _clusters(objects: VideoObjects, in_gt: list[np.ndarray]) -> list[np.ndarray]:
    """Mask (D_t,) of each frame's results that are on one of the objects ``in_gt``."""
    return [(iou[inside] >= _CLUSTER_IOU).any(axis=0) for iou, inside in zip(objects.iou, in_gt)]


def _assignment(objects: VideoObjects) -> list[np.ndarray]:
    """Row (D_t,) of the object that each result is assigned to, whatever its class; -1 for none."""
    everything = [np.ones(len(gt), dtype=bool) for gt in objects.gt]
    alignment = _Alignment(objects, everything, _clusters(objects, everything))
    assigned = [np.full(len(pred), -1) for pred in objects.pred]
    for t, taken in enumerate(assigned):
        rows, columns = alignment.match(t)
        good = objects.iou[t][rows, columns] >= _CLUSTER_IOU - _EPS
        taken[columns[good]] = rows[good]
    return assigned


class _Alignment:
    """Objects and results that are compared, and the alignment of their identities over the video.

    Attributes:
        rows, columns: (T,) positions of the objects, and of the results, in their frames.
        gt, pred: (T,) indices of their identities.
        gt_frames, pred_frames: Numbers of frames of the identities.
    """

    def __init__(self, objects: VideoObjects, in_gt: list[np.ndarray], cluster: list[np.ndarray]) -> None:
        """
        Args:
            objects: Objects of the video.
            in_gt: Mask (G_t,) of each frame's objects that are compared.
            cluster: Mask (D_t,) of each frame's results on one of them; their tracks are compared as a whole.
        """
        self._iou = objects.iou
        tracks = np.unique(np.concatenate([_NONE, *(pred.ids[near] for pred, near in zip(objects.pred, cluster))]))
        names = np.unique(np.concatenate([_NONE, *(gt.ids[inside] for gt, inside in zip(objects.gt, in_gt))]))
        self.rows = [np.flatnonzero(inside) for inside in in_gt]
        self.columns = [np.flatnonzero(np.isin(pred.ids, tracks)) for pred in objects.pred]
        self.gt = [np.searchsorted(names, gt.ids[rows]) for gt, rows in zip(objects.gt, self.rows)]
        self.pred = [np.searchsorted(tracks, one.ids[columns]) for one, columns in zip(objects.pred, self.columns)]
        self.gt_frames = np.bincount(np.concatenate([_NONE, *self.gt]), minlength=len(names))
        self.pred_frames = np.bincount(np.concatenate([_NONE, *self.pred]), minlength=len(tracks))
        common = np.zeros((len(names), len(tracks)))
        for t in range(len(self._iou)):
            iou = self._similarity(t)
            union = iou.sum(0, keepdims=True) + iou.sum(1, keepdims=True) - iou
            jaccard = np.divide(iou, union, out=np.zeros_like(iou), where=union > _EPS)
            common[self.gt[t][:, None], self.pred[t][None, :]] += jaccard
        self._alignment = common / (self.gt_frames[:, None] + self.pred_frames[None, :] - common)

    def match(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in frame ``t`` of objects and results, one to one, that fit best over the whole video."""
        score = self._alignment[self.gt[t][:, None], self.pred[t][None, :]] * self._similarity(t)
        rows, columns = linear_sum_assignment(score, maximize=True)
        return self.rows[t][rows], self.columns[t][columns]

    def _similarity(self, t: int) -> np.ndarray:
        return self._iou[t][self.rows[t]][:, self.columns[t]]


def _count(
    objects: VideoObjects, category: int, in_gt: list[np.ndarray], cluster: list[np.ndarray]
) -> dict[int, dict[str, np.ndarray]]:
    """Counts of a class, and the false positives that its objects give to the classes of the results on them."""
    num_gt, num_near = sum(int(inside.sum()) for inside in in_gt), sum(int(near.sum()) for near in cluster)
    if not num_near:
        return {category: {"Loc_FN": np.full(_NUM_LEVELS, float(num_gt))}}
    alignment = _Alignment(objects, in_gt, cluster)
    level, identity, near, classes = [], [], [], []
    for t in range(len(objects.gt)):
        rows, columns = alignment.match(t)
        # A pair is a match at the first `level` alphas.
        level.append(np.searchsorted(ALPHAS - _EPS, objects.iou[t][rows, columns], side="right"))
        gt = np.searchsorted(alignment.rows[t], rows)
        pred = np.searchsorted(alignment.columns[t], columns)
        identity.append(alignment.gt[t][gt] * len(alignment.pred_frames) + alignment.pred[t][pred])
        near.append(cluster[t][columns])
        classes.append(objects.pred[t].classes[columns])
    levels, identities, found = np.concatenate(level), np.concatenate(identity), np.concatenate(classes)
    true = _above(levels)
    own = _above(levels[found == category])[_FIRST_CLASS_LEVEL:]
    counts = {
        "Loc_TP": true,
        "Loc_FN": num_gt - true,
        "Loc_FP": num_near - _above(levels[np.concatenate(near)]),
        "Cls_TP": own,
        "Cls_FN": true[_FIRST_CLASS_LEVEL:] - own,
        **_association(levels, identities, alignment),
    }
    others = np.unique(found[found != category]).tolist()
    wrong = {other: {"Cls_FP": _above(levels[found == other])[_FIRST_CLASS_LEVEL:]} for other in others}
    return {category: counts, **wrong}


def _association(levels: np.ndarray, identities: np.ndarray, alignment: _Alignment) -> dict[str, np.ndarray]:
    pairs, index = np.unique(identities, return_inverse=True)
    # (pairs of identities, alphas): number of matches.
    common = np.stack([_above(levels[index == i]) for i in range(len(pairs))])
    gt_frames = alignment.gt_frames[pairs // len(alignment.pred_frames)][:, None]
    pred_frames = alignment.pred_frames[pairs % len(alignment.pred_frames)][:, None]
    return {
        "AssocA_sum": (common * common / (gt_frames + pred_frames - common)).sum(axis=0),
        "AssocRe_sum": (common * common / gt_frames).sum(axis=0),
        "AssocPr_sum": (common * common / pred_frames).sum(axis=0),
    }


def _above(levels: np.ndarray) -> np.ndarray:
    """Number (_NUM_LEVELS,) of matches at each alpha, of the levels of pairs."""
    histogram = np.bincount(levels, minlength=_NUM_LEVELS + 1).astype(float)
    return np.cumsum(histogram[::-1])[::-1][1:]
