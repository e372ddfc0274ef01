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
Registry of :class:`EmbeddingHead` and :class:`KeypointEmbeddingHead`, which give every instance an embedding beside a
detector that finds the instances.
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

    @property
    def num_levels(self) -> int:
        """Number of levels that :meth:`dense_maps` can be asked for."""
        return len(self.in_features)

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

    def read(
        self, features: dict[str, Tensor], masks: Sequence[Tensor], positives: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Differentiable embeddings of the given instances: what a loss compares.

        Args:
            features, masks, positives: as for :meth:`losses`.

        Returns:
            (P, D) embeddings, of an instance one or, with a cell read-out, one a positive; and (P, 2) int64 rows
            (image, index of the instance in its image). Instances that cannot be read have none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not learn")

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """Dense embedding maps (B, D, H, W), one a level. The mean of one over an instance's mask approximates the
        instance's embedding.

        Args:
            features: as for :meth:`losses`.
            levels: indices of the ``in_features`` whose resolution the maps have; for a cell read-out those levels' own
                maps. Empty: all.
        """
        raise NotImplementedError(f"{type(self).__name__} does not learn")

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


class KeypointEmbeddingHead(nn.Module):
    """Interface of the heads that read a person's embedding at its joints, beside a pose detector.

    Keypoints are (N_i, J, 3): x, y in continuous pixels of the network's padded input, so that a map of stride s has
    them at (x / s, y / s) with its first cell from 0 to 1; the third number is a visibility or a score.

    Attributes:
        in_features: names of the features that the head reads. Beside the backbone's there is "heatmap", the
            detector's joint heatmaps (B, J, H, W) without a gradient.
    """

    in_features: list[str]

    @property
    def num_levels(self) -> int:
        """Number of levels that :meth:`dense_maps` can be asked for: the one map."""
        return 1

    @abstractmethod
    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Embedding map (B, D, ...) of features name -> (B, C_l, H_l, W_l)."""

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """The map, as :meth:`EmbeddingHead.dense_maps` has it; there is one level."""
        return [self(features)]

    @abstractmethod
    def losses(
        self,
        features: dict[str, Tensor],
        keypoints: Sequence[Tensor],
        predicted: Sequence[Tensor],
        people: Sequence[Tensor],
        ids: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """Weighted losses over all people of the mini-batch.

        Args:
            features: name -> (B, C_l, H_l, W_l).
            keypoints: B tensors (N_i, J, 3), the ground truth; joints of visibility 0 are not labelled.
            predicted: B tensors (P_i, J, 3), the detector's poses (no gradient) at its positives, with the ground
                truth's visibility.
            people: B int64 tensors (P_i,), index in ``keypoints`` of the person of each.
            ids: B int64 tensors (N_i,), as for :meth:`EmbeddingHead.losses`.
        """

    def read(self, features: dict[str, Tensor], keypoints: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """One embedding for each of given people, as a head that learns from video needs them.

        Args:
            features: name -> (B, C_l, H_l, W_l).
            keypoints: B tensors (N_i, J, 3), the third number a score.

        Returns:
            (P, D) embeddings; and (P, 2) int64 rows (image, index of the person in its image). People without a joint
            that can be read have none.
        """
        raise NotImplementedError(f"{type(self).__name__} does not learn")

    def read_levels(
        self, features: dict[str, Tensor], keypoints: Sequence[Tensor]
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """Differentiable embeddings by level of the loss, and in each by part, each as :meth:`read` gives it. Parts,
        such as the joints, are compared apart from each other. By default people alone."""
        return [[self.read(features, keypoints)]]

    @abstractmethod
    def embed(self, features: dict[str, Tensor], keypoints: Sequence[Tensor]) -> list[Tensor]:
        """Embeddings of detected people with keypoints B x (N_i, J, 3).

        Returns:
            B float32 tensors (N_i, D), not normalised, or (N_i, P, D) of P parts, of which those that are 0 are absent.
        """


def build_embedding_head(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> EmbeddingHead | None:
    """Build ``cfg.MODEL.EMBEDDING.NAME``, or return None where the name is empty.

    With ``cfg.MODEL.VIDEO_EMBEDDING.ENABLED`` it is an :class:`InstanceVideoEmbedding` of two such heads.
    """
    name = _head_name(cfg)
    return EMBEDDING_HEADS.get(name)(cfg, input_shape) if name else None


def build_keypoint_embedding_head(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> KeypointEmbeddingHead | None:
    """As :func:`build_embedding_head`, for pose detectors.

    Raises:
        ValueError: the configured head does not read keypoints.
    """
    name = _head_name(cfg)
    head = EMBEDDING_HEADS.get(name)(cfg, input_shape) if name else None
    if head is not None and not isinstance(head, KeypointEmbeddingHead):
        raise ValueError(f"MODEL.EMBEDDING.NAME {name} does not read keypoints, as a head beside a pose detector must")
    return head


def _head_name(cfg: CfgNode) -> str:
    """What EMBEDDING_HEADS builds: the configured head, or a pair of them (:mod:`.video_embedding`)."""
    name = cfg.MODEL.EMBEDDING.NAME
    if not (name and cfg.MODEL.VIDEO_EMBEDDING.ENABLED):
        return name
    reads_keypoints = issubclass(EMBEDDING_HEADS.get(name), KeypointEmbeddingHead)
    return "KeypointVideoEmbedding" if reads_keypoints else "InstanceVideoEmbedding"


def embedding_in_features(cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> list[str]:
    """``cfg.MODEL.EMBEDDING.IN_FEATURES``; where it is empty, SOLO's levels or else all features of the backbone."""
    on_solo = cfg.MODEL.META_ARCHITECTURE == "SOLO"
    return cfg.MODEL.EMBEDDING.IN_FEATURES or (cfg.MODEL.SOLO.IN_FEATURES if on_solo else list(input_shape))
