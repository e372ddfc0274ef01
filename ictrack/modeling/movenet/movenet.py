"""MoveNet MultiPose as a Detectron2 meta-architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.modeling.postprocessing import detector_postprocess
from detectron2.structures import Boxes, ImageList, Instances
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.tracing import falling_order, map_extent

from .backbone import SeparableConv

# Name and channels of each output; displacements are (y, x), sizes (height, width), in cells of stride 4.
_OUTPUTS = {
    "center": 1,
    "box_size": 2,
    "box_offset": 2,
    "joint_heatmap": 17,
    "joint_displacement": 34,
    "joint_offset": 34,
}
_HEAD_DIM = 96
_STRIDE = 4
# Side in cells of the window whose maximum is a person's center, and the difference that still counts as equal.
_PEAK_WINDOW = 5
_PEAK_TOLERANCE = 1e-6
# Factor on the shorter side of the heatmaps, the variance of the Gaussian around a joint's regressed position.
_JOINT_VARIANCE = 0.3
# Score from which a joint counts in a person's score (all from the published graph).
_MIN_JOINT_SCORE = 0.127


class People(NamedTuple):
    """Candidates of one image, best center first: scores (N,), boxes (N, 4) XYXY and keypoints (N, 17, 3) x, y, score;
    in pixels of the padded input."""

    scores: Tensor
    boxes: Tensor
    keypoints: Tensor


@META_ARCH_REGISTRY.register()
class MoveNet(nn.Module):
    """Poses of several people in one pass: Google's MoveNet MultiPose Lightning, with any number of people.

    A peak of the center heatmap is a person. Each of the 17 COCO joints is the best cell of its heatmap, weighted by a
    Gaussian around the position that the center regresses, inside the person's box.

    The published weights run in it; it is not trained here: with an embedding head in :class:`EmbeddedDetector`, set
    MODEL.FREEZE ["detector"].

    Naming convention:
        B: images, (H, W): size of the outputs, a quarter of the padded input, N: people, J = 17 joints
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        score_thresh: float,
        max_people: int,
    ):
        """
        Args:
            backbone: Backbone with the feature "p2".
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            score_thresh: Score of a person above which it is a detection.
            max_people: Largest number of people in an image.
        """
        super().__init__()
        self.backbone = backbone
        channels = backbone.output_shape()["p2"].channels or 0
        self.heads = nn.ModuleDict(
            {
                name: nn.Sequential(SeparableConv(channels, _HEAD_DIM), nn.Conv2d(_HEAD_DIM, width, 1))
                for name, width in _OUTPUTS.items()
            }
        )
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        self.score_thresh = score_thresh
        self.max_people = max_people

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        return {
            "backbone": build_backbone(cfg),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "score_thresh": cfg.MODEL.MOVENET.SCORE_THRESH_TEST,
            "max_people": cfg.TEST.DETECTIONS_PER_IMAGE,
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict]) -> list[dict]:
        """
        Args:
            batched_inputs: Dict of each image, with "image" (C, h, w), "height" and "width" of the output.

        Returns:
            {"instances": Instances} of each image, with pred_boxes, scores, pred_classes (0) and pred_keypoints
            (N, 17, 3) x, y and score.

        Raises:
            ValueError: In training.
        """
        if self.training:
            raise ValueError('MoveNet has no training losses: set MODEL.FREEZE ["detector"]')
        images = self.preprocess_image(batched_inputs)
        outputs = self.raw_outputs(self.backbone(images.tensor))
        results = []
        for index, (x, size) in enumerate(zip(batched_inputs, images.image_sizes)):
            people = self.decode({name: output[index] for name, output in outputs.items()}, size)
            height, width = x.get("height", size[0]), x.get("width", size[1])
            results.append({"instances": detector_postprocess(people, height, width)})
        return results

    def preprocess_image(self, batched_inputs: list[dict]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        images = [(x["image"].to(self.device) - self.pixel_mean) / self.pixel_std for x in batched_inputs]
        return ImageList.from_tensors(images, self.backbone.size_divisibility)

    def raw_outputs(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Output (B, channels, H, W) of each head; "center" and "joint_heatmap" are logits."""
        return {name: head(features["p2"]).float() for name, head in self.heads.items()}

    def decode(self, outputs: dict[str, Tensor], image_size: tuple[int, int]) -> Instances:
        """People of one image.

        Args:
            outputs: (channels, H, W) of each head.
            image_size: (height, width) of the network's input without padding.
        """
        people = self.people(outputs)
        kept = (people.scores > self.score_thresh).nonzero().squeeze(1)
        return Instances(
            image_size,
            pred_boxes=Boxes(people.boxes[kept]),
            scores=people.scores[kept],
            pred_classes=torch.zeros_like(kept),
            pred_keypoints=people.keypoints[kept],
        )

    def people(self, outputs: dict[str, Tensor]) -> People:
        """Candidates of one image, at least one, of which those with a score above the threshold are people.

        Args:
            outputs: (channels, H, W) of each head.
        """
        rows, columns, centers = self._peaks(outputs["center"][0].sigmoid())
        width = outputs["center"].shape[-1]
        limit = map_extent(outputs["center"]).flip(0)
        cell = torch.stack([rows, columns], dim=1)  # (N, 2)

        def at_centers(name: str) -> Tensor:
            return outputs[name][:, rows, columns].T  # (N, channels)

        middle = cell + at_centers("box_offset")
        half = at_centers("box_size").clamp(min=0) / 2
        low, high = ((middle + sign * half).clamp(min=0).minimum(limit) for sign in (-1, 1))  # (N, 2) y, x

        regressed = cell[:, None] + at_centers("joint_displacement").unflatten(1, (-1, 2))  # (N, J, 2)
        joints, joint_scores = _best_cells(outputs["joint_heatmap"].sigmoid(), regressed, low, high)
        flat = joints[..., 0] * width + joints[..., 1]  # (N, J)
        offsets = outputs["joint_offset"].unflatten(0, (-1, 2)).flatten(2)  # (J, 2, H W)
        index = torch.arange(offsets.shape[0], device=flat.device)
        points = joints + offsets[index, :, flat]

        counted = joint_scores > _MIN_JOINT_SCORE
        scores = centers * (joint_scores * counted).sum(1) / counted.sum(1).clamp(min=1)
        keypoints = torch.cat([points.flip(2) * _STRIDE, joint_scores[..., None]], dim=2)
        boxes = torch.cat([low.flip(1), high.flip(1)], dim=1) * _STRIDE
        return People(scores, boxes, keypoints)

    def _peaks(self, centers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows, columns and probabilities of the peaks of (H, W) probabilities, best first; at least one."""
        highest = F.max_pool2d(centers[None, None], _PEAK_WINDOW, stride=1, padding=_PEAK_WINDOW // 2)[0, 0]
        # A person's score is at most its center's, so no other cell can become a detection. The best one is taken
        # anyway, so that nothing is empty.
        peak = (highest - centers < _PEAK_TOLERANCE) & ((centers > self.score_thresh) | (centers == centers.max()))
        rows, columns = peak.nonzero(as_tuple=True)
        order = falling_order(centers[rows, columns])[: self.max_people]
        rows, columns = rows[order], columns[order]
        return rows, columns, centers[rows, columns]


def _best_cells(heatmap: Tensor, regressed: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Best cell of each joint of each of at least one person, (N, J, 2) int64 row and column, and its score (N, J).

    The score is the weighted probability, as in the published graph the largest of all people's at that cell.

    Args:
        heatmap: (J, H, W) probabilities.
        regressed: (N, J, 2) y, x of the joints in cells.
        low, high: (N, 2) y, x of the corners of the people's boxes in cells.
    """
    height, width = heatmap.shape[-2:]
    variance = _JOINT_VARIANCE * map_extent(heatmap).min()
    # The Gaussian and the box are products of a row and a column factor.
    factors = []
    for axis, length in enumerate((height, width)):
        position = torch.arange(length, device=heatmap.device, dtype=heatmap.dtype)
        gaussian = torch.exp(-((position - regressed[..., axis, None]) ** 2) / variance)  # (N, J, length)
        inside = (position >= low[:, axis, None]) & (position < high[:, axis, None])
        factors.append(gaussian * inside[:, None])
    weighted = heatmap * factors[0][..., None] * factors[1][:, :, None]  # (N, J, H, W)
    weighted = weighted.flatten(2)
    cells = weighted.argmax(dim=2)
    scores = weighted.amax(dim=0).gather(1, cells.T).T
    return torch.stack([cells.div(width, rounding_mode="floor"), cells % width], dim=2), scores
