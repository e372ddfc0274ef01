"""Training targets of PointSetAnchor: assignment of people to anchors by OKS, and targets of the branches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .oks_nms import oks

# Values of ``matches`` for anchors without a person.
BACKGROUND = -1
IGNORED = -2

# People times anchors times joints compared at a time; bounds temporary tensors to 16 MB each.
_BLOCK = 1 << 22


def anchor_oks(keypoints: Tensor, points: Tensor, sigmas: Tensor) -> Tensor:
    """(G, A) OKS of every person with every anchor; 0 for a person without labeled joints.

    Unlike in COCO's evaluation, the area is the squared diagonal w^2 + h^2 of the points' extent, averaged over the
    person (labeled joints; 0 with fewer than two) and the anchor (all points). The mean is over labeled joints.

    Args:
        keypoints: (G, J, 3) x, y, visibility; joints of visibility 0 are not labeled.
        points: (A, J, 2) points of the anchors.
        sigmas: (J,), see :func:`oks`.
    """
    anchor_areas = _squared_diagonal(points.amin(1), points.amax(1))
    result = points.new_zeros(len(keypoints), len(points))
    block = max(_BLOCK // max(points.shape[0] * points.shape[1], 1), 1)
    for first in range(0, len(keypoints), block):
        people = keypoints[first : first + block]
        labeled = people[..., 2] > 0  # (g, J)
        xy = people[..., :2]
        low = xy.masked_fill(~labeled[..., None], torch.inf).amin(1)
        high = xy.masked_fill(~labeled[..., None], -torch.inf).amax(1)
        areas = _squared_diagonal(low, high).where(labeled.any(1), 0)
        squared = xy[:, None, :, 0].sub(points[..., 0]).square_()
        squared += xy[:, None, :, 1].sub(points[..., 1]).square_()  # (g, A, J)
        similarity = oks(squared, sigmas, (areas[:, None] + anchor_areas) / 2) * labeled[:, None]
        result[first : first + block] = similarity.sum(2) / labeled.sum(1, keepdim=True).clamp(min=1)
    return result


def _squared_diagonal(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).square().sum(-1)


@dataclass(frozen=True)
class OKSMatcher:
    """Assigner of people to anchors.

    An anchor is negative if its best OKS is below ``negative_oks``, positive for its best person from ``positive_oks``
    on, and ignored in between. Then every person in turn takes the anchors with one of its ``min_anchors`` best OKS
    values, also from other people.

    Attributes:
        positive_oks, negative_oks: Thresholds of the OKS.
        min_anchors: Number of best OKS values whose anchors a person takes.
        take_zero_oks: Whether a best value of 0 is taken, too, as in the published code. A person with fewer than
            ``min_anchors`` anchors of an OKS above 0 in float32 then takes *every* anchor of OKS 0, which is nearly
            all of the image; for example one with a single labeled joint that is far from that of any anchor.
    """

    positive_oks: float
    negative_oks: float
    min_anchors: int
    take_zero_oks: bool = False

    def __call__(self, similarity: Tensor, labeled: Tensor) -> Tensor:
        """
        Args:
            similarity: (G, A) OKS.
            labeled: (G,) bool, whether a person has a labeled joint; others are ignored.

        Returns:
            (A,) int64 index of a person, BACKGROUND or IGNORED.
        """
        matches = torch.full((similarity.shape[1],), BACKGROUND, device=similarity.device)
        if not labeled.any():
            return matches
        best, person = similarity.max(dim=0)
        matches[best >= self.negative_oks] = IGNORED
        positive = best >= self.positive_oks
        matches[positive] = person[positive]
        values = similarity.topk(min(self.min_anchors, similarity.shape[1]), dim=1).values
        for i in labeled.nonzero().squeeze(1).tolist():
            taken = torch.isin(similarity[i], values[i])
            if not self.take_zero_oks:
                taken &= similarity[i] > 0
            matches[taken] = i
        return matches


def encode_boxes(anchors: Tensor, boxes: Tensor) -> Tensor:
    """(N, 4) box targets: dx, dy in anchor sides, dlog w, dlog h.

    Args:
        anchors, boxes: (N, 4) XYXY, both corners inside (the width is x1 - x0 + 1).
    """
    anchor_size = anchors[:, 2:] - anchors[:, :2] + 1
    size = boxes[:, 2:] - boxes[:, :2] + 1
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    return torch.cat([shift / anchor_size, (size / anchor_size).log()], dim=1)


@dataclass(frozen=True)
class StageTargets:
    """Targets of one stage for a batch with P positive anchors.

    Attributes:
        labels: (B, A) float32, 1 for positive anchors.
        weights: (B, A) bool, False for ignored anchors.
        images, anchors: (P,) int64 image and anchor index of the positives.
        people: (P,) int64 index of the person in its image.
        point_deltas: (P, J, 2) offsets to the joints, 0 where a joint is not labeled.
        point_weights: (P, J) bool, True for labeled joints.
        box_deltas: (P, 4), see :func:`encode_boxes`.
        normalizer: Number of positives, at least 1 per image.
    """

    labels: Tensor
    weights: Tensor
    images: Tensor
    anchors: Tensor
    people: Tensor
    point_deltas: Tensor
    point_weights: Tensor
    box_deltas: Tensor
    normalizer: int


def stage_targets(
    matches: Tensor,
    points: Tensor,
    boxes: Tensor,
    scales: Tensor,
    keypoints: list[Tensor],
    gt_boxes: list[Tensor],
) -> StageTargets:
    """Targets of a stage.

    Args:
        matches: (B, A) results of :class:`OKSMatcher`.
        points, boxes: (B, A, J, 2) and (B, A, 4) of the anchors in this stage.
        scales: (A,) units of the point deltas.
        keypoints: B tensors (G, J, 3).
        gt_boxes: B tensors (G, 4), both corners inside.
    """
    images, anchors = (matches >= 0).nonzero(as_tuple=True)
    people = matches[images, anchors]
    first = torch.tensor([0, *(len(x) for x in keypoints[:-1])], device=matches.device).cumsum(0)
    person = first[images] + people
    pose, box = torch.cat(keypoints)[person], torch.cat(gt_boxes)[person]
    labeled = pose[..., 2] > 0
    deltas = (pose[..., :2] - points[images, anchors]) / scales[anchors, None, None]
    return StageTargets(
        labels=(matches >= 0).float(),
        weights=matches != IGNORED,
        images=images,
        anchors=anchors,
        people=people,
        point_deltas=deltas * labeled[..., None],
        point_weights=labeled,
        box_deltas=encode_boxes(boxes[images, anchors], box),
        normalizer=int((matches >= 0).sum(1).clamp(min=1).sum()),
    )
