"""What an embedding head is, and the registry of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
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

    Attributes:
        in_features: names of the features that the head reads.
        needs_masks: whether ``losses`` looks at the masks that it is given.
    """

    in_features: list[str]
    needs_masks: bool = True

    @abstractmethod
    def forward(self, features: dict[str, Tensor]) -> list[Tensor]:
        """Embedding maps, one (B, D, ...) an in_feature, of features name -> (B, C_l, H_l, W_l)."""

    @abstractmethod
    def losses(
        self,
        features: dict[str, Tensor],
        masks: Sequence[Tensor],
        ids: Sequence[Tensor],
        positives: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Weighted losses over all instances of the mini-batch.

        Args:
            features: name -> (B, C_l, H_l, W_l).
            masks: B tensors (N_i, h_i, w_i), bool or soft, the ground-truth masks on the frame of the network's padded
                input, at any resolution proportional to it. Instances with an empty mask have no part in a mask
                read-out; a cell read-out uses nothing of the masks.
            ids: B int64 tensors (N_i,), the identity of every instance; equal ids, also of different images (two
                views of one photo), are the same instance. See :func:`instance_ids`.
            positives: (P, 5) int64 rows (image, level, row, column, index of the instance in its image) on the
                detector's grids; needed by a cell read-out only.
        """

    @abstractmethod
    def embed(
        self, features: dict[str, Tensor], masks: Sequence[Tensor], cells: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """Embeddings of detected instances, not normalised.

        Args:
            features, masks: as for :meth:`losses`.
            cells: B int64 tensors (N_i, 3), the (level, row, column) that produced each detection; needed by a cell
                read-out only.

        Returns:
            B float32 tensors (N_i, D). What an empty mask gives is finite, but means nothing.
        """


def build_embedding_head(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> EmbeddingHead | None:
    """Build ``cfg.MODEL.EMBEDDING.NAME``, or return None where the name is empty."""
    name = cfg.MODEL.EMBEDDING.NAME
    return EMBEDDING_HEADS.get(name)(cfg, input_shape) if name else None


def embedding_in_features(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> list[str]:
    """``cfg.MODEL.EMBEDDING.IN_FEATURES``; where it is empty, SOLO's levels or else all features of the backbone."""
    on_solo = cfg.MODEL.META_ARCHITECTURE == "SOLO"
    return cfg.MODEL.EMBEDDING.IN_FEATURES or (cfg.MODEL.SOLO.IN_FEATURES if on_solo else list(input_shape))
