"""Two embedding heads in one: an image head, and a video head that is trained on unlabeled video (Fu et al., CVPR 2021,
arXiv 2104.00287, Figure 2). Both have the same structure and weights of their own; trackers get one fused vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances
from torch import Tensor
from torch.nn import functional as F

from ictrack.modeling.freezing import PartlyFrozen, frozen_parts

from .head import EMBEDDING_HEADS, EmbeddingHead
from .video_clips import VideoClips
from .video_objectives import VideoObjective, build_video_objective

if TYPE_CHECKING:
    from ictrack.modeling.detector_base import TrackableDetector


def fuse_embeddings(image: Tensor, video: Tensor, weight: float, dim: int = -1) -> Tensor:
    """Fused embedding z = (e_img / |e_img|, w e_vid / |e_vid|): cos(z, z') = (cos_img + w^2 cos_vid) / (1 + w^2).

    The paper does not state the fusion; w = 1, the mean of the two cosines, is inferred. The formula does not hold for
    embeddings that are 0, which stay 0.

    Args:
        image, video: Embeddings of the two heads, of equal shape except along ``dim``, the axis of components.
        weight: w > 0, finite.
    """
    return torch.cat([F.normalize(image, dim=dim), weight * F.normalize(video, dim=dim)], dim=dim)


@EMBEDDING_HEADS.register()
class VideoEmbedding(PartlyFrozen, EmbeddingHead):
    """Two-head module: an image head (IC loss) and a video head (self-supervised), fused by concatenation.

    Embeddings of several parts are fused part by part. With scalar tags from the image head, the fused embedding is
    (tag, e_vid / |e_vid|), for a tracker's similarity "distance_and_cosine"; ``dense_maps`` and ``read``, which are
    compared by cosine, are the video head's alone.

    Checkpoints of the image head alone load as they are, without weights of the video head.

    Attributes:
        in_features: Features of both heads.
        fusion_weight: w of :func:`fuse_embeddings`; 0 is the image head alone, infinity the video head alone.
        backprop_to_features: Whether the gradient of the video objective passes into the features.
    """

    image_head: EmbeddingHead
    video_head: EmbeddingHead

    @configurable
    def __init__(
        self,
        *,
        image_head: EmbeddingHead,
        video_head: EmbeddingHead,
        objective: VideoObjective,
        fusion_weight: float = 1.0,
        freeze_image_head: bool = False,
        backprop_to_features: bool = False,
        frames_at_a_time: int = 8,
    ) -> None:
        """
        Args:
            image_head, video_head: Heads that read the same of an instance.
            objective: Objective of the video head.
            fusion_weight, backprop_to_features: See above.
            frames_at_a_time: Frames per pass of the detector without a gradient.
            freeze_image_head: Whether the image head is frozen.
        """
        super().__init__()
        if not fusion_weight >= 0:
            raise ValueError(f"MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT is {fusion_weight}, must be at least 0")
        self.image_head = image_head
        self.video_head = video_head
        self.objective = objective
        self.fusion_weight = fusion_weight
        if frames_at_a_time < 1:
            raise ValueError(f"MODEL.VIDEO_EMBEDDING.FRAMES_AT_A_TIME is {frames_at_a_time}, must be at least 1")
        self.backprop_to_features = backprop_to_features
        self.frames_at_a_time = frames_at_a_time
        self.in_features = list(dict.fromkeys([*image_head.in_features, *video_head.in_features]))
        self.reads = image_head.reads
        self.has_tags = getattr(image_head, "objective", "") == "scalar_tags"
        if self.has_tags and fusion_weight not in (0.0, 1.0, math.inf):
            raise ValueError(
                f"MODEL.VIDEO_EMBEDDING.FUSION_WEIGHT is {fusion_weight}, must be 0, 1 or .inf with scalar tags"
            )
        self.trains_image_head = not freeze_image_head
        if freeze_image_head:
            self.freeze(image_head)
        self._register_load_state_dict_pre_hook(self.rename_weights)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict[str, Any]:
        video = cfg.MODEL.VIDEO_EMBEDDING
        video_cfg = cfg.clone()
        video_cfg.defrost()
        options = ["BACKPROP_TO_FEATURES", video.BACKPROP_TO_FEATURES, *video.HEAD_OPTIONS]
        video_cfg.MODEL.EMBEDDING.merge_from_list(options)
        if video_cfg.MODEL.EMBEDDING.KEYPOINT.OBJECTIVE == "scalar_tags":
            raise ValueError(
                "MODEL.EMBEDDING.KEYPOINT.OBJECTIVE scalar_tags gives no vectors, which the video head needs: set "
                'MODEL.VIDEO_EMBEDDING.HEAD_OPTIONS ["KEYPOINT.OBJECTIVE", "instance_contrastive"]'
            )
        image_head, video_head = (EMBEDDING_HEADS.get(c.MODEL.EMBEDDING.NAME)(c, input_shape) for c in (cfg, video_cfg))
        _check_levels(video.LEVELS, video_head.num_levels)
        return {
            "image_head": image_head,
            "video_head": video_head,
            "objective": build_video_objective(cfg),
            "fusion_weight": float(video.FUSION_WEIGHT),
            "freeze_image_head": "image_head" in frozen_parts(cfg),
            "backprop_to_features": video.BACKPROP_TO_FEATURES,
            "frames_at_a_time": video.FRAMES_AT_A_TIME,
        }

    @property
    def num_levels(self) -> int:
        return self.video_head.num_levels

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Losses of the image head, none where it is frozen; see :meth:`video_losses` for the video head."""
        return self.image_head.losses(features, instances, padded_size) if self.trains_image_head else {}

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Fused embeddings and their rows. Raises ValueError if the heads read different instances."""
        (image, rows), (video, video_rows) = (
            head.read(features, instances, padded_size) for head in (self.image_head, self.video_head)
        )
        if not torch.equal(rows, video_rows):
            raise ValueError(
                "MODEL.VIDEO_EMBEDDING.HEAD_OPTIONS: the video head reads other instances than the image head"
            )
        if self.has_tags:
            return F.normalize(video, dim=-1), rows
        (embeddings,) = self._fused(lambda head: [video if head is self.video_head else image])
        return embeddings, rows

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """Fused embeddings, see the class; D is the sum of both heads' D, or that of the only head with a weight."""
        if not self.has_tags or math.isinf(self.fusion_weight):
            return self._fused(lambda head: head.embed(features, instances, padded_size))
        tags = self.image_head.embed(features, instances, padded_size)
        if self.fusion_weight == 0:
            return tags
        vectors = self.video_head.embed(features, instances, padded_size)
        return [torch.cat([tag[..., :1], F.normalize(vector, dim=-1)], dim=-1) for tag, vector in zip(tags, vectors)]

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """Fused dense maps of both heads, which must have equal resolutions."""
        if self.has_tags:
            return [F.normalize(x, dim=1) for x in self.video_head.dense_maps(features, levels)]
        return self._fused(lambda head: head.dense_maps(features, levels), dim=1)

    def video_losses(self, samples: Sequence[dict[str, Any]], detector: TrackableDetector) -> dict[str, Tensor]:
        """Losses of the objective.

        Args:
            samples: Samples of unlabeled video. Without any the losses are zeros that are connected to the video head's
                parameters, as DistributedDataParallel expects.
            detector: Detector of this head, for features and the cells of tracklets.
        """
        parameters = [p for p in self.video_head.parameters() if p.requires_grad]
        losses: dict[str, Tensor] = {}
        if samples:
            clips = VideoClips(samples, next(self.parameters()).device)
            features, padded_size = self._features(clips.images, detector)
            tracklets: list[Instances] = []
            if self.objective.needs_tracklets:
                tracklets = detector.locate_ground_truth(self.video_head, clips.tracklets(), padded_size)
            losses = self.objective(self.video_head, features, clips, tracklets, padded_size)
        zero = connected_zero(parameters)
        return {name: losses.get(name, 0.0) + zero for name in self.objective.loss_names}

    def _features(self, images: list[Tensor], detector: TrackableDetector) -> tuple[dict[str, Tensor], tuple[int, int]]:
        """Features of all frames that the video head reads. Without a gradient nothing else is kept in memory."""
        if self.backprop_to_features:
            return detector.extract_features(images)
        parts: dict[str, list[Tensor]] = {name: [] for name in self.video_head.in_features}
        with torch.no_grad():
            for start in range(0, len(images), self.frames_at_a_time):
                features, padded_size = detector.extract_features(images[start : start + self.frames_at_a_time])
                for name, part in parts.items():
                    part.append(features[name])
        return {name: torch.cat(part) for name, part in parts.items()}, padded_size

    def _fused(self, embed: Callable[[EmbeddingHead], Sequence[Tensor]], dim: int = -1) -> list[Tensor]:
        """Fused results of ``embed`` for both heads, or of one head where the other has no weight."""
        if self.fusion_weight == 0 or math.isinf(self.fusion_weight):
            single = embed(self.video_head if self.fusion_weight else self.image_head)
            return [F.normalize(x, dim=dim) for x in single]
        pairs = zip(embed(self.image_head), embed(self.video_head))
        return [fuse_embeddings(image, video, self.fusion_weight, dim) for image, video in pairs]

    def rename_weights(self, weights: dict[str, Any], prefix: str = "", *_: object) -> None:
        """Rename, in place, weights of an image head alone (below ``prefix``) to those of this module."""
        for name in self.image_head.state_dict():
            if prefix + name in weights:
                weights[f"{prefix}image_head.{name}"] = weights.pop(prefix + name)


def _check_levels(levels: Sequence[int], num_levels: int) -> None:
    if len(set(levels)) < len(levels) or not set(levels) <= set(range(num_levels)):
        raise ValueError(
            f"MODEL.VIDEO_EMBEDDING.LEVELS is {list(levels)}, expected different levels from 0 to {num_levels - 1}"
        )


def connected_zero(parameters: Iterable[Tensor]) -> Tensor:
    """Zero that gives every parameter a gradient of zeros."""
    return cast(Tensor, sum(0 * parameter.sum() for parameter in parameters))
