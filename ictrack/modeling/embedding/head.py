"""The interface of embedding heads, and the registry of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances
from detectron2.utils.registry import Registry
from torch import Tensor, nn

EMBEDDING_HEADS = Registry("EMBEDDING_HEADS")
EMBEDDING_HEADS.__doc__ = """
Registry of :class:`EmbeddingHead`, which give every instance an embedding beside a detector that finds the instances.
A registered object is called as ``obj(cfg, input_shape)``, ``input_shape`` being a dict from feature name to
:class:`ShapeSpec`.
"""


class EmbeddingHead(nn.Module):
    """Interface of the heads.

    Naming convention:
        B: images, N_i: instances of image i, D: embedding dimension, (H_l, W_l): resolution of feature l

    All methods take the same arguments:

    * features: name -> (B, C_l, H_l, W_l), of the network's padded input. A pose detector adds "heatmap", its joint
      heatmaps (B, J, H, W) without a gradient.
    * instances: B Instances, whose ``image_size`` covers the padded input, at any resolution proportional to it (see
      :func:`ictrack.modeling.embedding.readout.pad_instances`). Of their fields a head looks at those that ``reads``
      names.
    * padded_size: (H, W) of the padded input in pixels.

    Attributes:
        in_features: names of the features that the head reads.
        reads: what tells the head where an instance is. "masks": pred_masks or gt_masks, (N, h, w) bool or soft, or
            else the boxes pred_boxes or gt_boxes; a linear head also takes pooled_features (N, sum of C_l), averaged
            over the masks before. "cells": grid_cells, (N, 3) int64 (level, row, column) on the
            detector's grids. "keypoints": pred_keypoints or gt_keypoints, (N, J, 3) x, y in continuous pixels and a
            score or visibility.
    """

    in_features: list[str]
    reads: Literal["masks", "cells", "keypoints"]

    @property
    def num_levels(self) -> int:
        """Number of levels that :meth:`dense_maps` can be asked for."""
        return len(self.in_features)

    @abstractmethod
    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Weighted losses over all instances of the mini-batch.

        Args:
            features, padded_size: see the class.
            instances: ground truth, one row a place at which an object is read: an object, or one of the cells or poses
                that stand for it. They have gt_ids, (N_i,) int64: equal ids, also of different images (two views of
                one photo), are the same object; and gt_index, (N_i,) int64, the object's index in its image.
        """

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Differentiable embeddings of the given instances, which the losses compare.

        Returns:
            (P, D) embeddings, and (P, 2) int64 rows (image, row of its instances). Instances that cannot be read, for
            an empty mask or without a valid joint, have none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not learn")

    def read_levels(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """Differentiable embeddings by level of the loss, and in each by part, each as :meth:`read` gives them. Parts,
        such as joints, are compared apart from each other. By default the instances alone."""
        return [[self.read(features, instances, padded_size)]]

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """Dense embedding maps (B, D, H, W), one a level. The mean of one over an instance's mask approximates the
        instance's embedding.

        Args:
            features: see the class.
            levels: indices of the ``in_features`` whose resolution the maps have; for a head that reads cells, those
                levels' own maps. Empty: all.
        """
        raise NotImplementedError(f"{type(self).__name__} does not learn")

    @abstractmethod
    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """Embeddings of detected instances, as a tracker compares them.

        Returns:
            B float32 tensors (N_i, D), or (N_i, P, D) of P parts of which those that are 0 are absent. What an empty
            mask gives is finite, but means nothing.
        """


def build_embedding_head(
    cfg: CfgNode, input_shape: dict[str, ShapeSpec], in_features: Sequence[str] = ()
) -> EmbeddingHead | None:
    """The head ``cfg.MODEL.EMBEDDING.NAME``; None where the name is empty.

    With ``cfg.MODEL.VIDEO_EMBEDDING.ENABLED`` it is a :class:`VideoEmbedding` of two such heads.

    Args:
        cfg: also gives ``MODEL.EMBEDDING`` and ``MODEL.VIDEO_EMBEDDING``.
        input_shape: of the features that there are.
        in_features: read where ``cfg.MODEL.EMBEDDING.IN_FEATURES`` is empty; by default what the head chooses.
    """
    name = cfg.MODEL.EMBEDDING.NAME
    if not name:
        return None
    if in_features and not cfg.MODEL.EMBEDDING.IN_FEATURES:
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.EMBEDDING.IN_FEATURES = list(in_features)
    return EMBEDDING_HEADS.get("VideoEmbedding" if cfg.MODEL.VIDEO_EMBEDDING.ENABLED else name)(cfg, input_shape)
