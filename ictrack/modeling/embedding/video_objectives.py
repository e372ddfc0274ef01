"""Objectives of a video embedding head on unlabeled video, one class for each ``MODEL.VIDEO_EMBEDDING.OBJECTIVE``.

Two are pixel-level, on the head's dense maps: correspondence (the paper's probable form) and the random walk. Two are
instance-level, on tracklets of masks or poses: the contrastive loss, and the random walk from frame to frame, which
does not use identities.

Naming convention:
    S: samples of video in the batch, T: frames of each, D: embedding dimension
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from torch import Tensor

from ictrack.losses.random_walk import can_walk, instance_walk_loss, random_walk_loss
from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss
from ictrack.losses.video_correspondence import crop_patches, video_correspondence_loss
from ictrack.modeling.processes import gather_rows, shared_count

from .head import EmbeddingHead
from .readout import at_rows
from .video_clips import VideoClips


class VideoObjective(ABC):
    """Losses of a head on a batch of unlabeled video.

    Attributes:
        loss_names: Names of the losses.
        needs_tracklets: Whether the samples must have tracklets.
    """

    loss_names: tuple[str, ...]
    needs_tracklets: bool = False

    @abstractmethod
    def __call__(
        self,
        head: EmbeddingHead,
        features: dict[str, Tensor],
        clips: VideoClips,
        tracklets: Sequence[Instances],
        padded_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        """Weighted losses by name.

        Args:
            head: Embedding head to train.
            features: Name -> (S * T, C_l, H_l, W_l), features of all frames.
            clips: Frames.
            tracklets: S * T Instances as :meth:`EmbeddingHead.losses` takes them, with the tracklet's number in its
                video as gt_ids; empty where ``needs_tracklets`` is False.
            padded_size: (H, W) of the network's input with padding.
        """


class PixelObjective(VideoObjective):
    """Objective on dense maps. Each term is the mean over ``MODEL.VIDEO_EMBEDDING.LEVELS``, so that its weight does not
    depend on their number; frames are compared at one level at a time."""

    def __init__(self, cfg: CfgNode) -> None:
        video = cfg.MODEL.VIDEO_EMBEDDING
        self.levels = list(video.LEVELS)
        self.weight = video.LOSS_WEIGHT
        self.block_size = video.BLOCK_SIZE or None

    def __call__(
        self,
        head: EmbeddingHead,
        features: dict[str, Tensor],
        clips: VideoClips,
        tracklets: Sequence[Instances],
        padded_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        by_level = [self.map_losses(maps, clips, padded_size) for maps in head.dense_maps(features, self.levels)]
        return {name: torch.stack([losses[name] for losses in by_level]).mean() for name in self.loss_names}

    @abstractmethod
    def map_losses(self, embeddings: Tensor, clips: VideoClips, padded_size: tuple[int, int]) -> dict[str, Tensor]:
        """Weighted losses by name of one map (S * T, D, h, w)."""


class Correspondence(PixelObjective):
    """Color reconstruction, concentration and cycle consistency between consecutive frames of a sample.

    See :mod:`ictrack.losses.video_correspondence`. The earlier of two frames, or a random patch of it, is reconstructed
    from the later one.
    """

    loss_names = ("loss_video_color", "loss_video_reverse_color", "loss_video_concentration", "loss_video_cycle")

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        options = cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE
        self.patch_size = options.PATCH_SIZE
        self.weights = [
            self.weight * weight
            for weight in (
                options.COLOR_WEIGHT,
                options.REVERSE_COLOR_WEIGHT,
                options.CONCENTRATION_WEIGHT,
                options.CYCLE_WEIGHT,
            )
        ]
        self.options = {
            "channel_weights": options.CHANNEL_WEIGHTS,
            "max_color_loss": options.MAX_COLOR_LOSS or None,
            "window": options.WINDOW,
            "cycle": options.CYCLE,
            "temperature": options.TEMPERATURE,
            "normalize": options.NORMALIZE,
            "block_size": self.block_size,
        }

    def map_losses(self, embeddings: Tensor, clips: VideoClips, padded_size: tuple[int, int]) -> dict[str, Tensor]:
        colors, valid = clips.colors((embeddings.shape[2], embeddings.shape[3]), padded_size)
        by_sample = [x.unflatten(0, (-1, clips.num_frames)) for x in (embeddings, colors, valid)]
        target, target_colors, target_valid = (x[:, :-1].flatten(0, 1) for x in by_sample)
        reference, reference_colors, reference_valid = (x[:, 1:].flatten(0, 1) for x in by_sample)
        if self.patch_size:
            size = (min(self.patch_size, target.shape[2]), min(self.patch_size, target.shape[3]))
            target, target_colors, target_valid = crop_patches([target, target_colors, target_valid], size)
        terms = video_correspondence_loss(
            target,
            reference,
            target_colors,
            reference_colors,
            target_valid=target_valid,
            reference_valid=reference_valid,
            **self.options,
        )
        return {name: weight * term for name, weight, term in zip(self.loss_names, self.weights, terms)}


class RandomWalk(PixelObjective):
    """Contrastive random walk over the cells of a dense map (:func:`random_walk_loss`)."""

    loss_names = ("loss_video_walk",)

    def __init__(self, cfg: CfgNode) -> None:
        super().__init__(cfg)
        options = cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK
        self.temperature = options.TEMPERATURE
        self.edge_dropout = options.EDGE_DROPOUT

    def map_losses(self, embeddings: Tensor, clips: VideoClips, padded_size: tuple[int, int]) -> dict[str, Tensor]:
        rows, columns = clips.inner_size((embeddings.shape[2], embeddings.shape[3]), padded_size)
        nodes = embeddings[:, :, :rows, :columns].flatten(2).transpose(1, 2)  # (S * T, N, D)
        loss = random_walk_loss(
            nodes.unflatten(0, (-1, clips.num_frames)).unbind(1),
            temperature=self.temperature,
            edge_dropout=self.edge_dropout,
            block_size=self.block_size,
        )
        return {"loss_video_walk": self.weight * loss}


class TrackletContrast(VideoObjective):
    """Contrastive loss over tracklets (:func:`tracklet_contrastive_loss`).

    For a head that reads keypoints, the sum over the head's levels, and at the level of joints the mean over joints.
    """

    loss_names = ("loss_video_tracklet",)
    needs_tracklets = True

    def __init__(self, cfg: CfgNode) -> None:
        video = cfg.MODEL.VIDEO_EMBEDDING
        self.weight = video.LOSS_WEIGHT
        self.temperature = video.TRACKLET.TEMPERATURE
        self.min_gap = video.TRACKLET.MIN_GAP
        self.gather_instances = cfg.MODEL.EMBEDDING.GATHER_INSTANCES

    def __call__(
        self,
        head: EmbeddingHead,
        features: dict[str, Tensor],
        clips: VideoClips,
        tracklets: Sequence[Instances],
        padded_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        ids = [x.gt_ids for x in tracklets]
        loss = torch.zeros((), device=clips.frames.device)
        for parts in head.read_levels(features, tracklets, padded_size):
            embeddings, labels = [], []
            for part, (x, rows) in enumerate(parts):
                frames, videos = clips.frames[rows[:, 0]], clips.videos[rows[:, 0]]
                embeddings.append(x)
                of_part = torch.full_like(frames, part)
                labels.append(torch.stack([of_part, at_rows(ids, rows).long(), frames, videos], dim=1))
            loss = loss + self._loss(torch.cat(embeddings), torch.cat(labels), len(parts))
        return {"loss_video_tracklet": self.weight * loss}

    def _loss(self, embeddings: Tensor, labels: Tensor, num_parts: int) -> Tensor:
        """Mean over parts of the loss of embeddings (P, D) with their part, tracklet, frame and video (P, 4)."""
        if self.gather_instances:
            embeddings, labels = gather_rows(embeddings), gather_rows(labels)
        losses = []
        for part in range(num_parts):
            rows = labels[:, 0] == part
            _, tracklets, frames, videos = labels[rows].unbind(1)
            losses.append(
                tracklet_contrastive_loss(
                    embeddings[rows],
                    tracklets,
                    frames,
                    videos,
                    temperature=self.temperature,
                    min_gap=self.min_gap,
                )
            )
        return torch.stack(losses).mean()


class InstanceWalk(VideoObjective):
    """Random walk over the instances of each frame (:func:`instance_walk_loss`); their identities are not used."""

    loss_names = ("loss_video_instance_walk",)
    needs_tracklets = True

    def __init__(self, cfg: CfgNode) -> None:
        video = cfg.MODEL.VIDEO_EMBEDDING
        self.weight = video.LOSS_WEIGHT
        self.temperature = video.RANDOM_WALK.TEMPERATURE
        self.edge_dropout = video.RANDOM_WALK.EDGE_DROPOUT

    def __call__(
        self,
        head: EmbeddingHead,
        features: dict[str, Tensor],
        clips: VideoClips,
        tracklets: Sequence[Instances],
        padded_size: tuple[int, int],
    ) -> dict[str, Tensor]:
        embeddings, rows = head.read(features, tracklets, padded_size)
        # An object may be read at several cells.
        objects = torch.stack([rows[:, 0], at_rows([x.gt_index for x in tracklets], rows)], dim=1)
        present, instances = torch.unique(objects, dim=0, return_inverse=True)  # sorted by image
        counts = torch.bincount(instances, minlength=len(present))
        means = embeddings.new_zeros(len(present), embeddings.shape[1]).index_add(0, instances, embeddings)
        by_image = torch.bincount(present[:, 0], minlength=len(clips.frames)).tolist()
        nodes = (means / counts[:, None]).split(by_image)
        videos = [nodes[i : i + clips.num_frames] for i in range(0, len(nodes), clips.num_frames)]
        num_clips = shared_count(sum(map(can_walk, videos)))
        loss = instance_walk_loss(
            videos, temperature=self.temperature, edge_dropout=self.edge_dropout, num_clips=num_clips
        )
        return {"loss_video_instance_walk": self.weight * loss}


OBJECTIVES: dict[str, Any] = {
    "correspondence": Correspondence,
    "random_walk": RandomWalk,
    "tracklet": TrackletContrast,
    "instance_walk": InstanceWalk,
}


def build_video_objective(cfg: CfgNode) -> VideoObjective:
    """Objective ``cfg.MODEL.VIDEO_EMBEDDING.OBJECTIVE``. Raises ValueError for an unknown name."""
    name = cfg.MODEL.VIDEO_EMBEDDING.OBJECTIVE
    if name not in OBJECTIVES:
        raise ValueError(f"MODEL.VIDEO_EMBEDDING.OBJECTIVE is {name!r}, expected one of {sorted(OBJECTIVES)}")
    return OBJECTIVES[name](cfg)
