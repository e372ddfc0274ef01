"""PointSetAnchor as one function of tensors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ictrack.modeling.point_set_anchor import PointSetAnchor
from ictrack.modeling.point_set_anchor.anchors import PoseAnchors, point_boxes

from .embeddings import ExportError, Located, dense_maps, embed
from .image_input import image_extent, in_multiples, prepare_image


class PointSetAnchorDetections(nn.Module):
    """People in one image, those of :meth:`PointSetAnchor.forward` up to rounding."""

    input_names = ("image", "output_size")
    output_names: tuple[str, ...] = ("scores", "pred_classes", "pred_boxes", "pred_keypoints")

    def __init__(self, model: PointSetAnchor) -> None:
        """Raises ExportError if the model has test-time augmentation."""
        super().__init__()
        if model.views is not None:
            raise ExportError("TEST.AUG.ENABLED runs the network several times, which is not exported; set it to False")
        self.model = model
        self.size_divisibility = model.size_divisibility
        if model.embedding_head is not None:
            self.output_names = (*self.output_names, "embeddings")

    def forward(self, image: Tensor, output_size: Tensor) -> tuple[Tensor, ...]:
        """
        Args:
            image: (h, w, 3) uint8, channels in the model's order.
            output_size: (2,) int64 height and width to which poses are scaled.

        Returns:
            scores (N,) in falling order, classes (N,) int64 of 0, boxes (N, 4) XYXY, keypoints (N, J, 3), and
            embeddings where the model has them.
        """
        model, selector = self.model, self.model.selector
        outputs = model.forward_features(
            prepare_image(image, model.pixel_mean, model.pixel_std, model.size_divisibility)
        )
        size = image_extent(image)
        width_height = size.flip(0).to(outputs.heatmaps)
        stages, anchors = model.stages_within(outputs.features, width_height[None] - 1, "people")
        logits = stages[-1].predictions.logits
        assert logits is not None
        scores = logits[0].sigmoid()
        index = _strongest(scores, anchors, selector.pre_nms_topk)
        candidates = selector.candidates_within(
            stages[-1].poses[0, index], scores[index], outputs.heatmaps[0], outputs.offsets[0], width_height
        )
        kept = greedy_suppression(
            candidates.points,
            candidates.scores,
            candidates.areas,
            8 * model.sigmas**2,
            selector.nms_oks,
            selector.score_thresh,
            selector.max_detections,
        )
        people = candidates[kept.clamp(min=0)]
        poses = selector.keypoints(people)
        embeddings: tuple[Tensor, ...] = ()
        if model.embedding_head is not None:
            features = {**outputs.features, "heatmap": outputs.heatmaps}
            embeddings = (embed(model.embedding_head, features, Located(poses=poses)),)
        scale = output_size.flip(0) / width_height
        keypoints = torch.cat([poses[..., :2] * scale, poses[..., 2:]], dim=-1)
        rows = (kept >= 0).nonzero()[:, 0]
        classes = torch.zeros_like(kept)
        boxes = point_boxes(keypoints[..., :2])
        return tuple(x[rows] for x in (people.scores, classes, boxes, keypoints, *embeddings))


def _strongest(scores: Tensor, anchors: PoseAnchors, count: int) -> Tensor:
    """See :meth:`PoseSelector.strongest`; the order is that of the scores."""
    index = torch.arange(scores.shape[0], device=scores.device)
    return torch.cat(
        [i[s.sort(descending=True)[1][:count]] for i, s in zip(anchors.split(index), anchors.split(scores))]
    )


@torch.jit.script
def greedy_suppression(
    points: Tensor,
    scores: Tensor,
    areas: Tensor,
    spreads: Tensor,
    threshold: float,
    score_thresh: float,
    max_detections: int,
) -> Tensor:
    """Indices (max_detections,) of the poses kept by greedy suppression, by falling score, then -1; compiled, so that
    the loop stays a loop in an export. See :func:`oks_nms <ictrack.modeling.point_set_anchor.oks_nms.oks_nms>`.

    Args:
        points: (N, J, 2) x, y; N at least 1.
        scores: (N,).
        areas: (N,) in pixels^2.
        spreads: (J,) 2 (2 sigma)^2 of the joints.
        threshold: OKS with a better kept pose above which a pose is suppressed.
        score_thresh: Score above which poses count.
        max_detections: Largest number of poses kept.
    """
    alive = scores > score_thresh
    steps = torch.arange(max_detections, device=scores.device)
    kept = torch.full_like(steps, -1)
    for step in range(max_detections):
        best = torch.where(alive, scores, -torch.ones_like(scores)).argmax(dim=0, keepdim=True)
        kept = torch.where((steps == step) & alive[best], best, kept)
        squared = (points - points[best]).square().sum(-1)
        mean_areas = (areas + areas[best]) / 2
        similarity = torch.exp(-squared / spreads / mean_areas[:, None].clamp(min=1.1754943508222875e-38)).mean(1)
        alive = alive & (similarity <= threshold) & (torch.arange(scores.shape[0], device=scores.device) != best)
    return kept


class PointSetAnchorRaw(nn.Module):
    """Outputs of PointSetAnchor's network for one image, without selection: for post-processing of one's own."""

    input_names = ("images", "image_size")

    def __init__(self, model: PointSetAnchor) -> None:
        super().__init__()
        self.model = model
        self.size_divisibility = model.size_divisibility

    def forward(self, images: Tensor, image_size: Tensor) -> dict[str, Tensor]:
        """
        Args:
            images: (1, 3, H, W) normalized, and padded with zeros at the bottom and on the right to multiples of the
                model's ``size_divisibility``.
            image_size: (2,) int64 height and width without padding, outside of which no pose has a joint.

        Returns:
            ``logits`` (1, A) of a person at each anchor and ``poses`` (1, A, J, 2) x, y in pixel indices, level after
            level and row-major; ``heatmaps`` (1, J, h, w) and ``offsets`` (1, J, 2, h, w) of the joints. With an
            embedding head its map ``embedding`` (1, D, H', W'); of two ``image_embedding`` and ``video_embedding``.
        """
        model = self.model
        outputs = model.forward_features(in_multiples(images, self.size_divisibility))
        stages, _ = model.stages_within(outputs.features, image_size.flip(0).to(images)[None] - 1, "people")
        logits = stages[-1].predictions.logits
        assert logits is not None
        result = {
            "logits": logits,
            "poses": stages[-1].poses,
            "heatmaps": outputs.heatmaps,
            "offsets": outputs.offsets,
        }
        if model.embedding_head is not None:
            result.update(dense_maps(model.embedding_head, {**outputs.features, "heatmap": outputs.heatmaps}))
        return result
