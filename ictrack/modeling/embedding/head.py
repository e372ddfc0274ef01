"""Interface and registry of embedding heads."""

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
Registry of :class:`EmbeddingHead`, which compute an embedding of each instance that a detector finds. A registered
object is called as ``obj(cfg, input_shape)``, where ``input_shape`` is a dict from feature name to :class:`ShapeSpec`.
"""


class EmbeddingHead(nn.Module):
    """Interface of embedding heads.

    Naming convention:
        B: images, N_i: instances of image i, D: embedding dimension, (H_l, W_l): resolution of feature l

    All methods take the same arguments:

    * features: Name -> (B, C_l, H_l, W_l), features of the padded input. A pose detector adds "heatmap", its joint
      heatmaps (B, J, H, W) without a gradient.
    * instances: B Instances on the padded input, at any resolution proportional to it (see
      :func:`ictrack.modeling.embedding.readout.pad_instances`), with the fields that ``reads`` names.
    * padded_size: (H, W) of the network's padded input in pixels.

    Attributes:
        in_features: Names of the features that the head reads.
        reads: Fields by which the head locates an instance. "masks": pred_masks or gt_masks, (N, h, w) bool or soft,
            else pred_boxes or gt_boxes; a linear head also takes pooled_features (N, sum of C_l), already averaged over
            the masks. "cells": grid_cells, (N, 3) int64 (level, row, column) on the detector's grids. "keypoints":
            pred_keypoints or gt_keypoints, (N, J, 3) x, y in continuous pixels and a score or visibility.
    """

    in_features: list[str]
    reads: Literal["masks", "cells", "keypoints"]

    @property
    def num_levels(self) -> int:
        """Number of levels of :meth:`dense_maps`."""
        return len(self.in_features)

    @abstractmethod
    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Weighted losses over all instances of the mini-batch.

        Args:
            features, padded_size: See the class.
            instances: Ground truth, one row for each reading of an object: the object itself, or each of its cells or
                poses. gt_ids, (N_i,) int64, are identities: equal ids are the same object, also in different images
                (two views of one photo). gt_index, (N_i,) int64, is the object's index in its image.
        """

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Differentiable embeddings of the given instances, which the losses compare.

        Returns:
            (P, D) embeddings, and (P, 2) int64 (image, index in its instances) of each. Instances with an empty mask or
            without a valid joint have none.

        Raises:
            NotImplementedError: If the head has nothing to train, as :class:`PooledFeatures`.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trainable")

    def read_levels(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """Results of :meth:`read` by level of the loss and, in it, by part, such as a joint. Parts are compared only
        with themselves. By default one level with one part, the instances."""
        return [[self.read(features, instances, padded_size)]]

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """Dense embedding maps (B, D, H, W), one a level. The mean of one over an instance's mask approximates the
        instance's embedding.

        Args:
            features: See the class.
            levels: Indices of the ``in_features`` whose resolution the maps have; for a head that reads cells, those
                levels' own maps. Empty: all.

        Raises:
            NotImplementedError: If the head has nothing to train.
        """
        raise NotImplementedError(f"{type(self).__name__} is not trainable")

    @abstractmethod
    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """Embeddings of detected instances, for a tracker.

        Returns:
            B float32 tensors (N_i, D), or (N_i, P, D) of P parts, where absent parts are 0. The embedding of an empty
            mask is finite, but meaningless.
        """


def build_embedding_head(
    cfg: CfgNode, input_shape: dict[str, ShapeSpec], in_features: Sequence[str] = ()
) -> EmbeddingHead | None:
    """Embedding head ``cfg.MODEL.EMBEDDING.NAME``, or None if the name is empty; with
    ``cfg.MODEL.VIDEO_EMBEDDING.ENABLED`` a :class:`VideoEmbedding` of two such heads.

    Args:
        cfg: Configuration with ``MODEL.EMBEDDING`` and ``MODEL.VIDEO_EMBEDDING``.
        input_shape: Shapes of the available features.
        in_features: Names of the features to read where ``cfg.MODEL.EMBEDDING.IN_FEATURES`` is empty; by default the
            head's choice.
    """
    name = cfg.MODEL.EMBEDDING.NAME
    if not name:
        return None
    if in_features and not cfg.MODEL.EMBEDDING.IN_FEATURES:
        cfg = cfg.clone()
        cfg.defrost()
        cfg.MODEL.EMBEDDING.IN_FEATURES = list(in_features)
    return EMBEDDING_HEADS.get("VideoEmbedding" if cfg.MODEL.VIDEO_EMBEDDING.ENABLED else name)(cfg, input_shape)
