"""Any Detectron2 detector with an embedding head on its backbone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import BitMasks, Instances, PolygonMasks
from torch import Tensor, nn
from torch.nn import functional as F

from .embedding import EmbeddingHead, build_embedding_head, instance_ids
from .embedding.readout import box_masks
from .freezing import PartlyFrozen, frozen_parts
from .training import training_losses


@META_ARCH_REGISTRY.register()
class EmbeddedDetector(PartlyFrozen):
    """A detector that also says by which embedding each of its detections is recognised in other frames.

    The detector is used as it is: any meta-architecture with an attribute ``backbone`` that it calls once a batch on
    the padded images, and that follows Detectron2's conventions for inputs and outputs. The head reads the backbone's
    features, which a forward hook takes from the detector's own pass, so the backbone never runs twice. Instances are
    read off by their masks, or by their boxes where there are no masks.

    Weights of the bare detector (names without ``detector.``, as in Detectron2's model zoo) load as they are.
    """

    detector: Any  # an nn.Module; nothing declares its ``backbone`` and ``device``
    embedding_head: EmbeddingHead

    @configurable
    def __init__(
        self,
        *,
        detector: nn.Module,
        embedding_head: EmbeddingHead,
        trainable: bool = True,
        train_backbone: bool = True,
    ):
        """
        Args:
            detector: a Detectron2 detector.
            embedding_head: with the mask read-out, on features of ``detector.backbone``.
            trainable: False freezes the detector with its backbone.
            train_backbone: False freezes the backbone.
        """
        super().__init__()
        self.detector = detector
        self.embedding_head = embedding_head
        self.trainable = trainable
        if not trainable:
            self.freeze(self.detector)
        elif not train_backbone:
            self.freeze(self.detector.backbone)
        self._register_load_state_dict_pre_hook(self.rename_weights)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        if not cfg.MODEL.EMBEDDING.NAME or cfg.MODEL.EMBEDDING.READOUT != "mask":
            raise ValueError("EmbeddedDetector needs MODEL.EMBEDDING.NAME, and MODEL.EMBEDDING.READOUT 'mask'")
        detector = META_ARCH_REGISTRY.get(cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE)(cfg)
        return {
            "detector": detector,
            "embedding_head": build_embedding_head(cfg, detector.backbone.output_shape()),
            "trainable": "detector" not in frozen_parts(cfg),
            "train_backbone": "backbone" not in frozen_parts(cfg),
        }

    @property
    def device(self) -> torch.device:
        return self.detector.device

    @property
    def backbone(self) -> nn.Module:
        return self.detector.backbone

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[dict]:
        """
        Args:
            batched_inputs: what the detector takes. For training "instances" hold gt_masks (or only gt_boxes), and
                gt_ids where one instance is in several images (see :func:`instance_ids`). Samples of unlabelled video
                (see ``VideoDatasetMapper``) train the video head of a :class:`VideoEmbedding`.

        Returns:
            In training the losses of the detector, unless frozen, and of the head. At test time the detector's outputs,
            whose Instances have one more field ``embeddings``, (N, D) float32.
        """
        if self.training:
            return training_losses(self, batched_inputs, self._image_losses, self.extract_features)
        outputs, features, frame = self._detect(batched_inputs)
        detections = [x["instances"] for x in outputs]
        masks = [
            self._padded_masks(detected, x["image"].shape[-2:], frame, features)
            for detected, x in zip(detections, batched_inputs)
        ]
        for detected, embeddings in zip(detections, self.embedding_head.embed(features, masks)):
            detected.embeddings = embeddings
        return outputs

    def _image_losses(self, batched_inputs: list[dict]) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        images = [x["image"] for x in batched_inputs]
        if self.trainable:
            losses, features, frame = self._detect(batched_inputs)
        else:
            features, frame = self.extract_features(images)
        instances = [x["instances"].to(self.device) for x in batched_inputs]
        masks = [self._padded_masks(x, x.image_size, frame, features) for x in instances]
        return {**losses, **self.embedding_head.losses(features, masks, instance_ids(instances))}

    def _detect(self, batched_inputs: list[dict]) -> tuple[Any, dict[str, Tensor], tuple[int, int]]:
        """What the detector says about a batch, the features that it read, and (H, W) of the padded input."""
        with _backbone_pass(self.detector.backbone) as passes:
            outputs = self.detector(batched_inputs)
        if len(passes) != 1:
            raise RuntimeError(f"{type(self.detector).__name__} ran its backbone {len(passes)} times, expected once")
        frame, features = passes[0]
        return outputs, features, frame

    def extract_features(self, images: list[Tensor]) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """The backbone's features of images (C, h, w), and (H, W) of the padded input."""
        batch = self.detector.preprocess_image([{"image": image} for image in images]).tensor
        return self.detector.backbone(batch), (batch.shape[-2], batch.shape[-1])

    def _padded_masks(
        self, instances: Instances, input_size: tuple[int, int], frame: tuple[int, int], features: dict[str, Tensor]
    ) -> Tensor:
        """Masks of ground truth or detections on the frame of the padded network input.

        Args:
            instances: of any resolution ``image_size``, which shows what the network saw as ``input_size``.
            input_size: (h, w) of the network's input without its padding.
            frame: (H, W) of it with padding.
            features: those that the head reads.

        Returns:
            (N, h', w') with h' : w' in the proportion of ``frame``.
        """
        height, width = instances.image_size
        # The padding is at the bottom and on the right: the frame in pixels of the instances.
        padded = (round(frame[0] * height / input_size[0]), round(frame[1] * width / input_size[1]))
        for name in ("pred_masks", "gt_masks"):
            if instances.has(name):
                masks = _bitmasks(instances.get(name), height, width).to(self.device)
                return F.pad(masks, (0, padded[1] - width, 0, padded[0] - height))
        boxes = instances.pred_boxes if instances.has("pred_boxes") else instances.gt_boxes
        return box_masks(boxes.tensor, padded, features[self.embedding_head.in_features[0]].shape[-2:])

    def rename_weights(self, weights: dict[str, Any], prefix: str = "", *_: object) -> None:
        """Rename, in place, those of the bare detector (below ``prefix``) to those of this model."""
        for name in self.detector.state_dict():
            if prefix + name in weights:
                weights[f"{prefix}detector.{name}"] = weights.pop(prefix + name)


@contextmanager
def _backbone_pass(backbone: nn.Module) -> Iterator[list[tuple[tuple[int, int], dict[str, Tensor]]]]:
    """Collect ((H, W) of the input, output features) of every pass through ``backbone`` inside the block."""
    passes: list[tuple[tuple[int, int], dict[str, Tensor]]] = []
    handle = backbone.register_forward_hook(
        lambda _module, inputs, output: passes.append((tuple(inputs[0].shape[-2:]), output))
    )
    try:
        yield passes
    finally:
        handle.remove()


def _bitmasks(masks: Tensor | BitMasks | PolygonMasks, height: int, width: int) -> Tensor:
    """(N, height, width) bool, whatever the type."""
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, height, width)
    return masks.tensor if isinstance(masks, BitMasks) else masks
