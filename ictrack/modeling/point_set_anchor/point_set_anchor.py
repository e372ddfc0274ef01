"""PointSetAnchor for poses as a Detectron2 meta-architecture, optionally with an embedding head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import ImageList, Instances
from torch import Tensor, nn

from ictrack.modeling.detector_base import TrackableDetector
from ictrack.modeling.embedding import EmbeddingHead, build_embedding_head, instance_ids
from ictrack.modeling.freezing import frozen_parts
from ictrack.structures.joints import JointSet, joint_set
from ictrack.structures.stage_clock import stage_within

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
from .ground_truth import annotated_joints, inside, labeled_people, people_of_image, poses_to_embed
from .head import PointSetAnchorHead
from .heatmap import HeatmapHead
from .inference import AugmentedViews, PoseCandidates, PoseSelector
from .losses import PointSetAnchorLosses
from .outputs import PointSetAnchorOutputs, Stage, people_instances
from .targets import StageTargets


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
        losses: PointSetAnchorLosses,
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
            losses: Targets and losses of the stages and of the heatmap branch.
            selector: Selector of people at test time.
            pixel_mean, pixel_std: Values by channel, in the order of the input image.
            frozen: Parts that are not trained, see :meth:`TrackableDetector.freeze_parts`.
            embedding_head: Head that reads keypoints; None for a detector without embeddings.
            views: Test-time augmentation, or None. OKS-NMS runs over the poses of all views; embeddings are read from
                the original image.
        """
        super().__init__()
        if len(heads) != len(losses.matchers):
            raise ValueError(
                f"PointSetAnchor needs a matcher a stage: {len(heads)} heads, {len(losses.matchers)} matchers"
            )
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
        self.losses = losses
        self.selector = selector
        self.embedding_head = embedding_head
        self.views = views
        self.size_divisibility = math.lcm(backbone.size_divisibility or 1, anchor_generator.size_divisibility)

        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)
        self.register_buffer("sigmas", torch.tensor(selector.sigmas), False)

        if not losses.stage.box_weight:
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
            "losses": losses_from_config(cfg, heatmap_shape.stride),
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
        images = self.preprocess_image([x["image"] for x in batched_inputs])
        output_sizes = [
            (x.get("height", size[0]), x.get("width", size[1])) for x, size in zip(batched_inputs, images.image_sizes)
        ]
        if self.views is None:
            people = self.inference_from(self.forward_features(images.tensor), images.image_sizes, output_sizes)
        else:
            candidates = [self._candidates_of_views(x["image"], self.views) for x in batched_inputs]
            features = {} if self.embedding_head is None else self._with_heatmap(self.backbone(images.tensor))
            padded_size = (images.tensor.shape[-2], images.tensor.shape[-1])
            people = self._instances(candidates, features, padded_size, images.image_sizes, output_sizes)
        return [{"instances": x} for x in people]

    def forward_features(self, images: Tensor) -> PointSetAnchorOutputs:
        """Outputs of the network, from which the stages are computed later.

        Args:
            images: (B, C, H, W) normalized, and padded with zeros at the bottom and on the right.

        Raises:
            ValueError: If H or W is not a multiple of ``size_divisibility``.
        """
        if images.shape[-2] % self.size_divisibility or images.shape[-1] % self.size_divisibility:
            raise ValueError(f"images are {tuple(images.shape)}, sides must be multiples of {self.size_divisibility}")
        features = self.backbone(images)
        heatmaps, offsets = self.heatmap_head(features[self.in_features[0]])
        return PointSetAnchorOutputs((images.shape[-2], images.shape[-1]), features, heatmaps, offsets)

    def losses_from(self, outputs: PointSetAnchorOutputs, targets: Sequence[Instances]) -> dict[str, Tensor]:
        """Losses of the detector, see :meth:`forward`.

        Args:
            outputs: Result of :meth:`forward_features`.
            targets: Instances of each image on the image without padding, as in :meth:`forward`; all joints count as
                annotated.
        """
        truth = [labeled_people(x, len(self.sigmas), "an image of the batch", self.device) for x in targets]
        return self._stage_losses(outputs, [x.image_size for x in targets], truth)[0]

    def inference_from(
        self,
        outputs: PointSetAnchorOutputs,
        image_sizes: Sequence[tuple[int, int]],
        output_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[Instances]:
        """People in each image, see :meth:`forward`; without test-time augmentation.

        Args:
            outputs: Result of :meth:`forward_features`.
            image_sizes: (height, width) of each image without padding.
            output_sizes: (height, width) to which poses are scaled; by default the image's.
        """
        features = {**outputs.features, "heatmap": outputs.heatmaps}
        candidates = self.candidates(outputs, image_sizes)
        return self._instances(candidates, features, outputs.padded_size, image_sizes, output_sizes or image_sizes)

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
        truth = [people_of_image(x, len(self.sigmas), self.device) for x in batched_inputs]
        losses: dict[str, Tensor] = {}
        if self.trainable:
            outputs = self.forward_features(images.tensor)
            annotated = torch.stack([annotated_joints(x, len(self.sigmas), self.device) for x in batched_inputs])
            losses, stages, targets = self._stage_losses(outputs, images.image_sizes, truth, annotated)
            features = {**outputs.features, "heatmap": outputs.heatmaps.detach()}
        else:
            with torch.no_grad():
                features = self._with_heatmap(self.backbone(images.tensor))
                stages, anchors = self.stages(features, images.image_sizes, "poses")
            targets = self.losses.targets(stages, anchors, truth, self.sigmas)
        if self.embedding_head is not None:
            padded_size = (images.tensor.shape[-2], images.tensor.shape[-1])
            ids = instance_ids([x["instances"] for x in batched_inputs])
            seen = [inside(keypoints, size) for (keypoints, _), size in zip(truth, images.image_sizes)]
            poses = poses_to_embed(stages[-1], targets[-1], seen, ids, padded_size)
            losses.update(self.embedding_head.losses(features, poses, padded_size))
        return losses

    def _stage_losses(
        self,
        outputs: PointSetAnchorOutputs,
        image_sizes: Sequence[tuple[int, int]],
        truth: Sequence[tuple[Tensor, Tensor]],
        annotated: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], list[Stage], list[StageTargets]]:
        """Losses, stages and their targets, see :class:`PointSetAnchorLosses`."""
        stages, anchors = self.stages(outputs.features, image_sizes, "everything")
        targets = self.losses.targets(stages, anchors, truth, self.sigmas)
        seen = [inside(keypoints, size) for (keypoints, _), size in zip(truth, image_sizes)]
        return self.losses(outputs, stages, targets, seen, annotated), stages, targets

    def preprocess_image(self, images: Sequence[Tensor]) -> ImageList:
        """Batch of normalized images, padded with zeros at the bottom and on the right."""
        normalized = [(x.to(self.device) - self.pixel_mean) / self.pixel_std for x in images]
        return ImageList.from_tensors(normalized, self.size_divisibility)

    def stages(
        self,
        features: dict[str, Tensor],
        image_sizes: Sequence[tuple[int, int]],
        parts: Literal["everything", "people", "poses"],
    ) -> tuple[list[Stage], PoseAnchors]:
        """Stages for a batch, and the first one's anchors.

        Args:
            features: Backbone features.
            image_sizes: (height, width) of each image without padding.
            parts: Branches to run: all that have a loss ("everything"); the point branches and the last stage's class
                branch ("people"); or the point branches ("poses").
        """
        maximum = torch.tensor([[w - 1, h - 1] for h, w in image_sizes], device=self.device)
        return self.stages_within(features, maximum, parts)

    def stages_within(
        self, features: dict[str, Tensor], maximum: Tensor, parts: Literal["everything", "people", "poses"]
    ) -> tuple[list[Stage], PoseAnchors]:
        """Stages, see :meth:`stages`, with the last pixel's x, y of each image, ``maximum`` (B, 2)."""
        levels = [features[name] for name in self.in_features]
        anchors = self.anchor_generator([(x.shape[2], x.shape[3]) for x in levels])
        points, boxes = anchors.points[None], anchors.boxes[None]
        stages = []
        for i, head in enumerate(self.heads):
            with_logits = parts == "everything" or (parts == "people" and i == len(self.heads) - 1)
            with_boxes = parts == "everything" and self.losses.stage.box_weight > 0
            predictions = head(levels, points, anchors, with_logits, with_boxes)
            poses = clip_points(decode_points(points, predictions.point_deltas.detach(), anchors.scales), maximum)
            stages.append(Stage(points, boxes, predictions, poses))
            points, boxes = poses, point_boxes(poses)
        return stages, anchors

    def _instances(
        self,
        candidates: Sequence[PoseCandidates],
        features: dict[str, Tensor],
        padded_size: tuple[int, int],
        image_sizes: Sequence[tuple[int, int]],
        output_sizes: Sequence[tuple[int, int]],
    ) -> list[Instances]:
        """People that are selected from the candidates of every image, with embeddings read from ``features``."""
        people = [self.selector.select(c) for c in candidates]
        keypoints = [self.selector.keypoints(p) for p in people]
        results = [
            people_instances(pose, person.scores, image_size, output_size)
            for person, pose, image_size, output_size in zip(people, keypoints, image_sizes, output_sizes)
        ]
        if self.embedding_head is not None:
            read = [Instances(padded_size, pred_keypoints=pose) for pose in keypoints]
            with stage_within("embed"):
                found = self.embedding_head.embed(features, read, padded_size)
            for result, embeddings in zip(results, found):
                result.embeddings = embeddings
        return results

    def candidates(
        self, outputs: PointSetAnchorOutputs, image_sizes: Sequence[tuple[int, int]]
    ) -> list[PoseCandidates]:
        """Candidates of every image in its own pixel indices."""
        stages, anchors = self.stages(outputs.features, image_sizes, "people")
        logits = stages[-1].predictions.logits
        assert logits is not None
        scores = logits.sigmoid()
        candidates = []
        for i, image_size in enumerate(image_sizes):
            index = self.selector.strongest(scores[i], anchors)
            candidates.append(
                self.selector.candidates(
                    stages[-1].poses[i, index], scores[i, index], outputs.heatmaps[i], outputs.offsets[i], image_size
                )
            )
        return candidates

    def _candidates_of_views(self, image: Tensor, views: AugmentedViews) -> PoseCandidates:
        """Candidates from all views of an image, in its own pixel indices."""
        size = (image.shape[1], image.shape[2])
        pooled = []
        for view, mirrored in views(image):
            batch = self.preprocess_image([view])
            (candidates,) = self.candidates(self.forward_features(batch.tensor), batch.image_sizes)
            view_size = (view.shape[1], view.shape[2])
            if mirrored:
                candidates = candidates.mirrored(view_size[1], self.joints.flip_permutation)
            pooled.append(candidates.resized(view_size, size))
        return PoseCandidates.cat(pooled)
