"""PointSetAnchor for poses as a Detectron2 meta-architecture, optionally with an embedding head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import Boxes, ImageList, Instances
from torch import Tensor, nn

from ictrack.modeling.detector_base import TrackableDetector
from ictrack.modeling.embedding import EmbeddingHead, build_embedding_head, instance_ids
from ictrack.modeling.freezing import frozen_parts
from ictrack.structures.joints import JointSet, joint_set

from .anchors import (
    DEFAULT_TEMPLATE,
    PointSetAnchorGenerator,
    PoseAnchors,
    clip_points,
    decode_points,
    load_pose_template,
    point_boxes,
)
from .build import heads_from_config, inference_from_config, losses_from_config
from .head import PointSetAnchorHead, StagePredictions
from .heatmap import HeatmapHead, heatmap_targets, offset_loss
from .inference import AugmentedViews, PoseCandidates, PoseSelector
from .losses import StageLosses, heatmap_loss
from .targets import OKSMatcher, StageTargets, anchor_oks, stage_targets


@dataclass(frozen=True)
class Stage:
    """Stage for a batch; B is 1 where all images share the anchors.

    Attributes:
        points: (B, A, J, 2) points of the anchors.
        boxes: (B, A, 4) boxes of the anchors.
        predictions: Predictions of the stage's head.
        poses: (B, A, J, 2) decoded poses, clipped to the images, without a gradient: the next stage's points.
    """

    points: Tensor
    boxes: Tensor
    predictions: StagePredictions
    poses: Tensor


@META_ARCH_REGISTRY.register()
class PointSetAnchor(TrackableDetector):
    """Wei et al., "Point-Set Anchors for Object Detection, Instance Segmentation and Pose Estimation", ECCV 2020.

    Every cell of every level has a mean pose as its anchor. Each stage classifies and refines the poses of the stage
    before, with features sampled at their points. The joints of the last poses are replaced by the nearest heatmap
    peaks. A keypoint embedding head (Fu et al., CVPR 2021) may read the same features and the heatmaps.

    Internal coordinates are pixel indices, as in the published weights; inputs and outputs are in Detectron2's
    continuous coordinates, which are larger by 0.5. See ``anchors.py`` for the naming convention.
    """

    pixel_mean: Tensor
    pixel_std: Tensor
    sigmas: Tensor  # (J,)

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        anchor_generator: PointSetAnchorGenerator,
        heads: Sequence[PointSetAnchorHead],
        heatmap_head: HeatmapHead,
        joints: JointSet,
        in_features: Sequence[str],
        matchers: Sequence[OKSMatcher],
        stage_losses: StageLosses,
        heatmap_radius: int,
        heatmap_background_weight: float,
        heatmap_loss_weight: float,
        offset_loss_weight: float,
        selector: PoseSelector,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        frozen: Sequence[str] = (),
        embedding_head: EmbeddingHead | None = None,
        views: AugmentedViews | None = None,
    ):
        """
        Args:
            backbone: Backbone.
            anchor_generator: Generator of pose anchors.
            heads: Head of each stage.
            heatmap_head: Heatmap branch on the first of ``in_features``.
            joints: Joints to predict.
            in_features: Backbone feature of each level, fine to coarse.
            matchers: Assigner of people to anchors, for each stage.
            stage_losses: Losses of every stage.
            heatmap_radius: Radius in cells of the target heatmaps' Gaussians.
            heatmap_background_weight: See :func:`heatmap_loss`.
            heatmap_loss_weight, offset_loss_weight: Weights of the two losses of the heatmap branch.
            selector: Selector of people at test time.
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            frozen: Parts that are not trained, see :meth:`TrackableDetector.freeze_parts`.
            embedding_head: Head that reads keypoints; None for a detector without embeddings.
            views: Test-time augmentation, or None. OKS-NMS runs over the poses of all views; embeddings are read from
                the original image.
        """
        super().__init__()
        if len(heads) != len(matchers):
            raise ValueError(f"PointSetAnchor needs a matcher a stage: {len(heads)} heads, {len(matchers)} matchers")
        if embedding_head is not None and embedding_head.reads != "keypoints":
            raise ValueError(
                f"MODEL.EMBEDDING.NAME {type(embedding_head).__name__} reads {embedding_head.reads}; PointSetAnchor "
                "needs a head that reads keypoints"
            )
        self.backbone = backbone
        self.anchor_generator = anchor_generator
        self.heads = nn.ModuleList(heads)
        self.heatmap_head = heatmap_head
        self.joints = joints
        self.in_features = list(in_features)
        self.matchers = list(matchers)
        self.stage_losses = stage_losses
        self.heatmap_radius = heatmap_radius
        self.heatmap_background_weight = heatmap_background_weight
        self.heatmap_loss_weight = heatmap_loss_weight
        self.offset_loss_weight = offset_loss_weight
        self.selector = selector
        self.embedding_head = embedding_head
        self.views = views
        self.size_divisibility = math.lcm(backbone.size_divisibility or 1, anchor_generator.size_divisibility)

        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        self.register_buffer("sigmas", torch.tensor(selector.sigmas), False)

        if not stage_losses.box_weight:
            for head in heads:
                head.box_branch.requires_grad_(False)
        self.freeze_parts(frozen, self.heads, self.heatmap_head)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        psa = cfg.MODEL.POINT_SET_ANCHOR
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        heads, heatmap_head, heatmap_shape = heads_from_config(cfg, shapes)
        joints = joint_set(psa.JOINT_SET)
        template = load_pose_template(Path(psa.TEMPLATE or DEFAULT_TEMPLATE), joints)
        return {
            "backbone": backbone,
            "anchor_generator": PointSetAnchorGenerator(
                template,
                strides=[shapes[name].stride for name in psa.IN_FEATURES],
                point_scale=psa.POINT_SCALE,
                box_scale=psa.BOX_SCALE,
            ),
            "heads": heads,
            "heatmap_head": heatmap_head,
            "joints": joints,
            "in_features": psa.IN_FEATURES,
            **losses_from_config(cfg),
            **inference_from_config(cfg, heatmap_shape.stride),
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "frozen": frozen_parts(cfg),
            "embedding_head": build_embedding_head(cfg, {**shapes, "heatmap": heatmap_shape}, psa.IN_FEATURES[:1]),
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[dict]:
        """
        Args:
            batched_inputs: Dict of each image, with

                * image: (C, h, w) tensor, channels as in ``cfg.INPUT.FORMAT``.
                * instances (training): Instances with gt_boxes, gt_classes, gt_keypoints (of JOINT_SET; people without
                  a labeled joint are background), and gt_ids where a person is in several images of the batch.
                  Labeled joints outside the image are regressed, but have no heatmap peak and no embedding.
                * annotated_joints (training, optional): (J,) bool, False for joints that the data set does not label,
                  whose heatmaps are not trained. By default all are.
                * height, width (test): Size of the output; by default that of "image".

        Returns:
            In training the losses: loss_class_stageS, loss_keypoint_stageS, loss_box_stageS (unless its weight is 0),
            loss_heatmap and loss_offset, unless frozen, and those of the embedding head. At test time {"instances":
            Instances} of each image, with pred_boxes (the poses' extents), scores in falling order, pred_classes (0),
            pred_keypoints (N, 17, 3: x, y, score), and embeddings (N, D) where there is an embedding head.
        """
        if self.training:
            return self.training_losses(batched_inputs)
        return self.inference(self.preprocess_image([x["image"] for x in batched_inputs]), batched_inputs)

    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Backbone features and "heatmap" of images (C, h, w), and (H, W) of the padded input."""
        batch = self.preprocess_image(images)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.trainable):
            features = self._with_heatmap(self.backbone(batch.tensor))
        return features, (batch.tensor.shape[-2], batch.tensor.shape[-1])

    def _with_heatmap(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Backbone features, and "heatmap" without a gradient."""
        level = features[self.in_features[0]]
        # In training both branches run, so that the statistics of their normalization come from the same images.
        heatmaps = self.heatmap_head(level)[0] if self.heatmap_head.training else self.heatmap_head.heatmaps(level)
        return {**features, "heatmap": heatmaps.detach()}

    def image_losses(self, batched_inputs: list[dict]) -> dict[str, Tensor]:
        images = self.preprocess_image([x["image"] for x in batched_inputs])
        keypoints, boxes = map(list, zip(*(self._ground_truth(x) for x in batched_inputs)))
        seen = [_inside(k, size) for k, size in zip(keypoints, images.image_sizes)]
        losses: dict[str, Tensor] = {}
        if self.trainable:
            features, stages, heatmaps, offsets, anchors = self.predict(images)
            targets = self.targets(stages, anchors, keypoints, boxes)
            for i, (stage, target) in enumerate(zip(stages, targets)):
                terms = self.stage_losses(stage.predictions, target)
                losses.update({f"loss_{name}_stage{i}": loss for name, loss in terms.items()})
            annotated = torch.stack([self._annotated_joints(x) for x in batched_inputs])
            losses.update(self.heatmap_losses(heatmaps, offsets, seen, annotated))
            features = {**features, "heatmap": heatmaps.detach()}
        else:
            with torch.no_grad():
                features = self._with_heatmap(self.backbone(images.tensor))
                stages, anchors = self.stages(features, images, "poses")
            targets = self.targets(stages, anchors, keypoints, boxes)
        if self.embedding_head is not None:
            padded_size = (images.tensor.shape[-2], images.tensor.shape[-1])
            ids = instance_ids([x["instances"] for x in batched_inputs])
            poses = _poses_to_embed(stages[-1], targets[-1], seen, ids, padded_size)
            losses.update(self.embedding_head.losses(features, poses, padded_size))
        return losses

    def preprocess_image(self, images: Sequence[Tensor]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        normalized = [(x.to(self.device) - self.pixel_mean) / self.pixel_std for x in images]
        return ImageList.from_tensors(normalized, self.size_divisibility)

    def _ground_truth(self, x: dict) -> tuple[Tensor, Tensor]:
        """Keypoints (G, J, 3) and boxes (G, 4), both corners inside, of an image, in pixel indices."""
        if "instances" not in x:
            raise ValueError("PointSetAnchor trains on images with instances; an image of the batch has none")
        instances, name = x["instances"], x.get("file_name", "an image of the batch")
        if len(instances) and not instances.has("gt_keypoints"):
            raise ValueError(f"{name}: its instances have no gt_keypoints")
        if not len(instances):  # in Detectron2 these have no gt_keypoints
            return torch.zeros(0, len(self.sigmas), 3, device=self.device), torch.zeros(0, 4, device=self.device)
        keypoints = instances.gt_keypoints.tensor.to(self.device, torch.float32)
        boxes = instances.gt_boxes.tensor.to(self.device, torch.float32)
        if keypoints.shape[1:] != (len(self.sigmas), 3):
            raise ValueError(f"{name}: gt_keypoints are {tuple(keypoints.shape)}, must be (N, {len(self.sigmas)}, 3)")
        if not (keypoints.isfinite().all() and boxes.isfinite().all()):
            raise ValueError(f"{name}: gt_keypoints or gt_boxes are not finite")
        return _shifted(keypoints, -0.5), boxes - boxes.new_tensor([0, 0, 1, 1])

    def _annotated_joints(self, x: dict) -> Tensor:
        """(J,) bool annotated joints of an image."""
        annotated = torch.as_tensor(x.get("annotated_joints", [True] * len(self.sigmas)), device=self.device)
        if annotated.shape != self.sigmas.shape:
            name = x.get("file_name", "an image of the batch")
            raise ValueError(f"{name}: annotated_joints are {tuple(annotated.shape)}, must be ({len(self.sigmas)},)")
        return annotated.bool()

    def predict(self, images: ImageList) -> tuple[dict[str, Tensor], list[Stage], Tensor, Tensor, PoseAnchors]:
        """Predictions of the whole network for a batch.

        Returns:
            Backbone features, stages, heatmaps (B, J, h, w) and offsets (B, J, 2, h, w) of
            :class:`HeatmapHead`, and the first stage's anchors.
        """
        features = self.backbone(images.tensor)
        stages, anchors = self.stages(features, images, "everything")
        heatmaps, offsets = self.heatmap_head(features[self.in_features[0]])
        return features, stages, heatmaps, offsets, anchors

    def stages(
        self, features: dict[str, Tensor], images: ImageList, parts: Literal["everything", "people", "poses"]
    ) -> tuple[list[Stage], PoseAnchors]:
        """Stages for a batch, and the first one's anchors.

        Args:
            features: Backbone features.
            images: Images of the batch.
            parts: Branches to run: all that have a loss ("everything"); the point branches and the last stage's class
                branch ("people"); or the point branches ("poses").
        """
        levels = [features[name] for name in self.in_features]
        anchors = self.anchor_generator([(x.shape[2], x.shape[3]) for x in levels])
        maximum = torch.tensor([[w - 1, h - 1] for h, w in images.image_sizes], device=self.device)
        points, boxes = anchors.points[None], anchors.boxes[None]
        stages = []
        for i, head in enumerate(self.heads):
            with_logits = parts == "everything" or (parts == "people" and i == len(self.heads) - 1)
            with_boxes = parts == "everything" and self.stage_losses.box_weight > 0
            predictions = head(levels, points, anchors, with_logits, with_boxes)
            poses = clip_points(decode_points(points, predictions.point_deltas.detach(), anchors.scales), maximum)
            stages.append(Stage(points, boxes, predictions, poses))
            points, boxes = poses, point_boxes(poses)
        return stages, anchors

    @torch.no_grad()
    def targets(
        self, stages: Sequence[Stage], anchors: PoseAnchors, keypoints: list[Tensor], boxes: list[Tensor]
    ) -> list[StageTargets]:
        """Targets of every stage, from keypoints (G, J, 3) and boxes (G, 4) of every image in pixel indices."""
        result = []
        for stage, matcher in zip(stages, self.matchers):
            points, anchor_boxes = (x.expand(len(keypoints), *x.shape[1:]) for x in (stage.points, stage.boxes))
            matches = torch.stack(
                [matcher(anchor_oks(k, p, self.sigmas), (k[..., 2] > 0).any(1)) for k, p in zip(keypoints, points)]
            )
            result.append(stage_targets(matches, points, anchor_boxes, anchors.scales, keypoints, boxes))
        return result

    def heatmap_losses(
        self, heatmaps: Tensor, offsets: Tensor, keypoints: list[Tensor], annotated: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Losses of the heatmap branch, from keypoints (G, J, 3) in pixel indices and ``annotated`` (B, J) bool."""
        size = (heatmaps.shape[2], heatmaps.shape[3])
        targets = heatmap_targets(keypoints, size, self.selector.heatmap_stride, self.heatmap_radius)
        heat = heatmap_loss(heatmaps, targets.heatmaps, self.heatmap_background_weight, annotated)
        return {
            "loss_heatmap": self.heatmap_loss_weight * heat,
            "loss_offset": self.offset_loss_weight * offset_loss(offsets, targets),
        }

    def inference(self, images: ImageList, batched_inputs: list[dict]) -> list[dict]:
        """Detections of a batch, see :meth:`forward`."""
        features: dict[str, Tensor] = {}
        if self.views is None:
            features, candidates = self.candidates(images)
        else:
            candidates = [self._candidates_of_views(x["image"], self.views) for x in batched_inputs]
            if self.embedding_head is not None:
                features = self._with_heatmap(self.backbone(images.tensor))
        people = [self.selector.select(c) for c in candidates]
        keypoints = [self.selector.keypoints(p) for p in people]

        results = []
        for x, image_size, person, pose in zip(batched_inputs, images.image_sizes, people, keypoints):
            result = Instances((x.get("height", image_size[0]), x.get("width", image_size[1])))
            scale = pose.new_tensor([result.image_size[1] / image_size[1], result.image_size[0] / image_size[0], 1])
            result.pred_keypoints = pose * scale
            result.pred_boxes = Boxes(point_boxes(result.pred_keypoints[..., :2]))
            result.scores = person.scores
            result.pred_classes = torch.zeros(len(person), dtype=torch.int64, device=self.device)
            results.append({"instances": result})
        if self.embedding_head is not None:
            padded_size = (images.tensor.shape[-2], images.tensor.shape[-1])
            read = [Instances(padded_size, pred_keypoints=pose) for pose in keypoints]
            for y, embeddings in zip(results, self.embedding_head.embed(features, read, padded_size)):
                y["instances"].embeddings = embeddings
        return results

    def candidates(self, images: ImageList) -> tuple[dict[str, Tensor], list[PoseCandidates]]:
        """Backbone features and "heatmap", and the candidates of every image in its own pixel indices."""
        features = self.backbone(images.tensor)
        stages, anchors = self.stages(features, images, "people")
        heatmaps, offsets = self.heatmap_head(features[self.in_features[0]])
        logits = stages[-1].predictions.logits
        assert logits is not None
        scores = logits.sigmoid()
        candidates = []
        for i, image_size in enumerate(images.image_sizes):
            index = self.selector.strongest(scores[i], anchors)
            candidates.append(
                self.selector.candidates(
                    stages[-1].poses[i, index], scores[i, index], heatmaps[i], offsets[i], image_size
                )
            )
        return {**features, "heatmap": heatmaps}, candidates

    def _candidates_of_views(self, image: Tensor, views: AugmentedViews) -> PoseCandidates:
        """Candidates from all views of an image, in its own pixel indices."""
        size = (image.shape[1], image.shape[2])
        pooled = []
        for view, mirrored in views(image):
            (candidates,) = self.candidates(self.preprocess_image([view]))[1]
            view_size = (view.shape[1], view.shape[2])
            if mirrored:
                candidates = candidates.mirrored(view_size[1], self.joints.flip_permutation)
            pooled.append(candidates.resized(view_size, size))
        return PoseCandidates.cat(pooled)


def _shifted(keypoints: Tensor, shift: float) -> Tensor:
    """(G, J, 3) keypoints with ``shift`` added to x and y."""
    return keypoints + keypoints.new_tensor([shift, shift, 0])


def _inside(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """(G, J, 3) keypoints in pixel indices, with visibility 0 for those outside an image of ``size`` (h, w)."""
    limits = keypoints.new_tensor([size[1], size[0]]) - 0.5
    inside = ((keypoints[..., :2] >= -0.5) & (keypoints[..., :2] <= limits)).all(-1)
    return torch.cat([keypoints[..., :2], keypoints[..., 2:] * inside[..., None]], dim=-1)


def _poses_to_embed(
    stage: Stage, targets: StageTargets, keypoints: list[Tensor], ids: list[Tensor], padded_size: tuple[int, int]
) -> list[Instances]:
    """Instances that :class:`KeypointEmbeddingModule` is trained on, in continuous coordinates.

    Args:
        stage, targets: Last stage and its targets.
        keypoints: (G, J, 3) labeled people of every image, in pixel indices.
        ids: (G,) identities of these people.
        padded_size: (H, W) of the network's input with padding.

    Returns:
        Poses of positive anchors of every image, with the visibility of their person's label, then the labels.
    """
    result = []
    for i, (labels, people_ids) in enumerate(zip(keypoints, ids)):
        here = targets.images == i
        people = targets.people[here]
        predicted = torch.cat([stage.poses[i, targets.anchors[here]] + 0.5, labels[people, :, 2:]], dim=-1)
        index = torch.cat([people, torch.arange(len(labels), device=people.device)])
        poses = torch.cat([predicted, _shifted(labels, 0.5).to(predicted)])
        is_predicted = torch.arange(len(index), device=people.device) < len(people)
        gt_ids = people_ids.to(index.device)[index]
        fields = {"gt_keypoints": poses, "gt_index": index, "gt_ids": gt_ids, "is_predicted": is_predicted}
        result.append(Instances(padded_size, **fields))
    return result
