"""What an embedding head learns from cached pictures: one class for each name in ``HeadRecipe.lessons``.

Each call draws a batch with NumPy's and PyTorch's global generators and returns the weighted losses of the product.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from detectron2.config import CfgNode
from torch import Tensor
from torch.nn import functional as F

from ictrack.data.video_dataset_mapper import draw_frame_indices
from ictrack.losses.random_walk import instance_walk_loss
from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss
from ictrack.modeling.embedding import InstanceEmbeddingHead
from ictrack.modeling.embedding.video_clips import VideoClips
from ictrack.modeling.embedding.video_objectives import build_video_objective

from .cached_features import Pictures, read_training
from .training_data import WINDOWS, Material


class Lesson(ABC):
    """Losses of a head on a batch that it draws."""

    @abstractmethod
    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        """The losses by name, of which the sum is minimised."""


class ImageLesson(Lesson):
    """The instance contrastive loss on ``INPUT.NUM_VIEWS`` views of each of several pictures."""

    def __init__(self, cfg: CfgNode, pictures: Pictures, widths: list[int], num_pictures: int) -> None:
        self._pictures = pictures
        self._widths = widths
        self._views = _by_source(pictures)
        self._num_views = cfg.INPUT.NUM_VIEWS
        self._num_sources = min(num_pictures // self._num_views, len(self._views))

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        sources = np.random.choice(len(self._views), self._num_sources, replace=False)
        drawn = [np.random.choice(self._views[i], self._num_views, replace=False) for i in sources]
        chosen = torch.from_numpy(np.concatenate(drawn))
        embeddings, rows = read_training(head, self._pictures, chosen, self._widths)
        return head.embedding_losses(embeddings, self._pictures.ids[rows])


class ClipLesson(Lesson):
    """Draws clips of ``INPUT.UNLABELLED.NUM_FRAMES`` frames at ``INPUT.UNLABELLED.INTERVAL`` frames."""

    def __init__(self, cfg: CfgNode, pictures: Pictures, num_pictures: int) -> None:
        self.pictures = pictures
        self._clips = _by_source(pictures)
        stride = int(pictures.times[self._clips[0][1]] - pictures.times[self._clips[0][0]])
        self._interval = [max(1, round(frames / stride)) for frames in cfg.INPUT.UNLABELLED.INTERVAL]
        self.num_frames = min(cfg.INPUT.UNLABELLED.NUM_FRAMES, min(len(clip) for clip in self._clips))
        self._num_clips = min(num_pictures // self.num_frames, len(self._clips))
        if self._num_clips == 0:
            raise ValueError(
                f"a batch of {num_pictures} pictures (SOLVER.IMS_PER_BATCH) holds no {self.num_frames} frames"
            )

    def draw(self) -> Tensor:
        """(clips * num_frames,) pictures, clip by clip, each in order of time. No clip is drawn twice."""
        drawn = []
        for i in np.random.choice(len(self._clips), self._num_clips, replace=False):
            frames = draw_frame_indices(len(self._clips[i]), self.num_frames, *self._interval)
            drawn.append(self._clips[i][frames])
        return torch.from_numpy(np.concatenate(drawn))


class InstanceLesson(ClipLesson):
    """What is learnt from the instances of tracklets; ``_options_of`` names its part of MODEL.VIDEO_EMBEDDING."""

    _options_of: str

    def __init__(
        self,
        cfg: CfgNode,
        pictures: Pictures,
        tracklets: Tensor,
        widths: list[int],
        num_pictures: int,
        num_windows: int = 1,
    ) -> None:
        """
        Args:
            tracklets: (M,) of each instance of the pictures; -1: none.
            num_windows: so many consecutive sources show one video.
        """
        super().__init__(cfg, pictures, num_pictures)
        self._num_windows = num_windows
        self._tracklets = tracklets
        self._widths = widths
        self._weight = cfg.MODEL.VIDEO_EMBEDDING.LOSS_WEIGHT
        self._options = cfg.MODEL.VIDEO_EMBEDDING[self._options_of]

    def read_tracked(self, head: InstanceEmbeddingHead, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (P, D) of the instances of chosen pictures that are of a tracklet, and their (P,) rows."""
        embeddings, rows = read_training(head, self.pictures, chosen, self._widths)
        known = self._tracklets[rows] >= 0
        return embeddings[known], rows[known]


class TrackletLesson(InstanceLesson):
    """The contrastive loss between detections of one tracklet."""

    _options_of = "TRACKLET"

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        embeddings, rows = self.read_tracked(head, self.draw())
        owners = self.pictures.owners[rows]
        loss = tracklet_contrastive_loss(
            embeddings,
            self._tracklets[rows],
            self.pictures.times[owners],
            self.pictures.sources[owners] // self._num_windows,
            temperature=self._options.TEMPERATURE,
            min_gap=self._options.MIN_GAP,
        )
        return {"loss_video_tracklet": self._weight * loss}


class InstanceWalkLesson(InstanceLesson):
    """The random walk over the instances of tracklets, whose identities are not used."""

    _options_of = "RANDOM_WALK"

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        chosen = self.draw()
        embeddings, rows = self.read_tracked(head, chosen)
        owners = self.pictures.owners[rows]
        frames = [embeddings[owners == picture] for picture in chosen.tolist()]
        clips = [frames[i : i + self.num_frames] for i in range(0, len(frames), self.num_frames)]
        temperature, dropout = self._options.TEMPERATURE, self._options.EDGE_DROPOUT
        loss = instance_walk_loss(clips, temperature=temperature, edge_dropout=dropout)
        return {"loss_video_instance_walk": self._weight * loss}


class PixelLesson(ClipLesson):
    """The pixel-level ``MODEL.VIDEO_EMBEDDING.OBJECTIVE`` on the cells of cached maps."""

    def __init__(self, cfg: CfgNode, pictures: Pictures, num_pictures: int) -> None:
        super().__init__(cfg, pictures, num_pictures)
        self._objective = build_video_objective(cfg)

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        chosen = self.draw()
        clips = CachedClips(self.pictures, chosen, self.num_frames)
        features = self.pictures.features(head.in_features, chosen)
        return self._objective(head, features, clips, clips.frame, None)


class CachedClips(VideoClips):
    """Chosen frames of cached clips, as video objectives take them. They have no padding."""

    def __init__(self, pictures: Pictures, chosen: Tensor, num_frames: int) -> None:
        self.num_frames = num_frames
        self.images = []
        self.frames, self.videos = pictures.times[chosen], pictures.sources[chosen]
        self._colors = pictures.colors[chosen]
        self.frame = (self._colors.shape[2], self._colors.shape[3])

    def colors(self, size: tuple[int, int], frame: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Mean colours at ``size``, all of them valid."""
        return F.adaptive_avg_pool2d(self._colors, size), torch.ones((len(self._colors), *size), dtype=torch.bool)

    def inner_size(self, size: tuple[int, int], frame: tuple[int, int]) -> tuple[int, int]:
        """All of it."""
        return size


# Name -> lesson of a form's configuration and material, on batches of so many pictures.
LESSONS: dict[str, Callable[[CfgNode, Material, int], Lesson]] = {
    "stills": lambda cfg, m, count: ImageLesson(cfg, m.stills, m.widths, count),
    "augmented": lambda cfg, m, count: ImageLesson(cfg, m.augmented, m.widths, count),
    "warped": lambda cfg, m, count: ImageLesson(cfg, m.warped, m.widths, count),
    "tracklets": lambda cfg, m, count: TrackletLesson(cfg, m.video, m.mined, m.widths, count),
    "true ids": lambda cfg, m, count: TrackletLesson(cfg, m.video, m.true_ids, m.widths, count),
    "instance walk": lambda cfg, m, count: InstanceWalkLesson(cfg, m.video, m.mined, m.widths, count),
    "tracklets at scales": lambda cfg, m, count: TrackletLesson(
        cfg, m.scales, m.mined[m.scales.ids], m.widths, count, WINDOWS["scales"][0]
    ),
    "pixels": lambda cfg, m, count: PixelLesson(cfg, m.grids, count),
    "pixels at half size": lambda cfg, m, count: PixelLesson(cfg, m.half_size, count),
    "pixels at scales": lambda cfg, m, count: PixelLesson(cfg, m.scales, count),
}


def _by_source(pictures: Pictures) -> list[np.ndarray]:
    """The pictures of each source, in order of time."""
    order = np.lexsort((pictures.times.numpy(), pictures.sources.numpy()))
    sources = pictures.sources.numpy()[order]
    return np.split(order, np.flatnonzero(np.diff(sources)) + 1)
