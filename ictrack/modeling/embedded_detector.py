"""Meta-architecture that adds an embedding head to any Detectron2 detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from torch import Tensor, nn

from ictrack.structures.stage_clock import stage_within

from .backbone_pass import backbone_pass
from .box_masks import BoxMaskHead
from .detector_base import TrackableDetector
from .embedding import EmbeddingHead, build_embedding_head, pad_instances
from .feature_backbone import FeatureBackbone
from .freezing import frozen_parts


@META_ARCH_REGISTRY.register()
class EmbeddedDetector(TrackableDetector):
    """Detectron2 detector with an embedding head on its backbone, or on a backbone of the head's own.

    The detector is any meta-architecture that follows Detectron2's conventions for inputs and outputs. Without a
    backbone of the head's own it calls its ``backbone`` once a batch, on the padded images: a forward hook takes the
    features from that pass, so the backbone never runs twice. Heads read instances by their masks, by their boxes where
    there are no masks, or at their keypoints (:class:`KeypointEmbeddingModule` on a Keypoint R-CNN).

    Weights of the bare detector (names without ``detector.``, as in Detectron2's model zoo) load as they are.
    """

    detector: Any  # an nn.Module with ``device`` and, without a feature backbone, ``backbone``
    embedding_head: EmbeddingHead
    feature_backbone: FeatureBackbone | None
    box_mask_head: BoxMaskHead | None

    @configurable
    def __init__(
        self,
        *,
        detector: nn.Module,
        embedding_head: EmbeddingHead,
        feature_backbone: FeatureBackbone | None = None,
        box_mask_head: BoxMaskHead | None = None,
        frozen: Sequence[str] = (),
    ):
        """
        Args:
            detector: Detectron2 detector.
            embedding_head: Head that reads masks or keypoints, on features of ``feature_backbone``.
            feature_backbone: Backbone of the head; None: the detector's.
            box_mask_head: Head that gives masks to a detector of boxes, on the same features; None: none.
            frozen: Parts that are not trained, see :meth:`TrackableDetector.freeze_parts`.
        """
        super().__init__()
        if embedding_head.reads == "cells":
            raise ValueError('MODEL.EMBEDDING.READOUT "cell" needs a detector with a grid (SOLO); set it to "mask"')
        self.detector = detector
        self.embedding_head = embedding_head
        self.feature_backbone = feature_backbone
        self.box_mask_head = box_mask_head
        self.freeze_parts(frozen, self.detector)
        self._register_load_state_dict_pre_hook(self.rename_weights)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        return cls.parts(META_ARCH_REGISTRY.get(cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE)(cfg), cfg)

    @staticmethod
    def parts(detector: nn.Module, cfg: CfgNode) -> dict[str, Any]:
        """Constructor arguments from a detector, and for all else from ``cfg``."""
        features = FeatureBackbone.from_config(cfg)
        owner: Any = features or detector
        shapes = owner.backbone.output_shape()
        head = build_embedding_head(cfg, shapes)
        if head is None:
            raise ValueError("MODEL.EMBEDDING.NAME is empty; EmbeddedDetector needs an embedding head")
        return {
            "detector": detector,
            "embedding_head": head,
            "feature_backbone": features,
            "box_mask_head": BoxMaskHead(cfg, shapes) if cfg.MODEL.BOX_MASK.ENABLED else None,
            "frozen": frozen_parts(cfg),
        }

    @property
    def device(self) -> torch.device:
        return self.detector.device

    @property
    def backbone(self) -> nn.Module:
        """Backbone that the embedding head reads."""
        return (self.feature_backbone or self.detector).backbone

    def backbones(self) -> list[nn.Module]:
        own = dict(self.detector.named_children()).get("backbone")  # detectors without features have none
        return [self.backbone] if own is None or own is self.backbone else [self.backbone, own]

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[dict]:
        """
        Args:
            batched_inputs: Inputs of the detector. In training their "instances" have gt_masks (or only gt_boxes), and
                gt_ids where one instance is in several images (see :func:`instance_ids`). Samples of unlabeled video
                (see ``VideoDatasetMapper``) train the video head of a :class:`VideoEmbedding`.

        Returns:
            In training the losses of the detector, unless frozen, and of the head. At test time the detector's outputs,
            with the field ``embeddings``, (N, D) float32, added to their Instances, and ``pred_masks``, (N, height,
            width) bool, where there is a head for them.
        """
        if self.training:
            return self.training_losses(batched_inputs)
        outputs, features, padded_size = self._detect(batched_inputs)
        if self.box_mask_head is not None:
            found = [y["instances"] for y in outputs]
            sizes = [x["image"].shape[-2:] for x in batched_inputs]
            for x, masks in zip(found, self.box_mask_head.paste(features, found, sizes)):
                x.pred_masks = masks
        read = [
            pad_instances(y["instances"], padded_size, x["image"].shape[-2:]) for x, y in zip(batched_inputs, outputs)
        ]
        with stage_within("embed"):
            found = self.embedding_head.embed(features, read, padded_size)
        for y, embeddings in zip(outputs, found):
            y["instances"].embeddings = embeddings
        return outputs

    def image_losses(self, batched_inputs: list[dict]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        if self.trainable:
            losses, features, padded_size = self._detect(batched_inputs)
        else:
            features, padded_size = self.extract_features([x["image"] for x in batched_inputs])
        located = self.locate_ground_truth(self.embedding_head, [x["instances"] for x in batched_inputs], padded_size)
        losses.update(self.embedding_head.losses(features, located, padded_size))
        if self.box_mask_head is not None:
            on_input = [pad_instances(x["instances"], padded_size).to(self.device) for x in batched_inputs]
            losses.update(self.box_mask_head.losses(features, on_input))
        return losses

    def _detect(self, batched_inputs: list[dict]) -> tuple[Any, dict[str, Tensor], tuple[int, int]]:
        """Outputs of the detector, features for the embedding head, and (H, W) of their padded input."""
        if self.feature_backbone is not None:
            outputs = self.detector(batched_inputs)
            with stage_within("embed"):
                return (outputs, *self.extract_features([x["image"] for x in batched_inputs]))
        with backbone_pass(self.detector.backbone) as passes:
            outputs = self.detector(batched_inputs)
        if len(passes) != 1:
            raise RuntimeError(f"{type(self.detector).__name__} ran its backbone {len(passes)} times, expected once")
        padded_size, features = passes[0]
        return outputs, features, padded_size

    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of images (C, h, w) for the embedding head, and (H, W) of the padded input."""
        if self.feature_backbone is not None:
            return self.feature_backbone(images)
        if not hasattr(self.detector, "preprocess_image"):
            raise ValueError(
                f"{type(self.detector).__name__} has no preprocess_image(batched_inputs), without which its "
                "embedding head can neither be trained beside the frozen detector nor on video, unless "
                "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE names a backbone of its own"
            )
        batch = self.detector.preprocess_image([{"image": image} for image in images]).tensor
        return self.detector.backbone(batch), (batch.shape[-2], batch.shape[-1])

    def rename_weights(self, weights: dict[str, Any], prefix: str = "", *_: object) -> None:
        """Rename, in place, weights of the bare detector (below ``prefix``) to those of this model.

        They lack the feature backbone, which keeps its own pretrained weights.
        """
        own = {
            prefix + name: value for name, value in self.state_dict().items() if name.startswith("feature_backbone.")
        }
        if not own.keys() & weights.keys():
            weights.update(own)
        bare, full = self.detector.state_dict().keys(), self.state_dict().keys()
        # A detector that wraps another one as its ``detector`` has names that are also names of this model.
        is_full = any(f"{prefix}detector.{name}" in weights for name in bare if f"detector.{name}" not in bare)
        names = [name for name in bare if prefix + name in weights and not (is_full and name in full)]
        weights.update({f"{prefix}detector.{name}": weights.pop(prefix + name) for name in names})
