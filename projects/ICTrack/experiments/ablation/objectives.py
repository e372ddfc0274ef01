"""ICTrack's training objectives on cached features, one for each name in ``HeadConfig.objectives``.

Each call draws a batch with NumPy's and PyTorch's global generators and returns the weighted losses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from torch import Tensor
from torch.nn import functional as F

from ictrack.data.video_dataset_mapper import draw_frame_indices
from ictrack.modeling.embedding import InstanceEmbeddingHead
from ictrack.modeling.embedding.video_clips import VideoClips
from ictrack.modeling.embedding.video_objectives import OBJECTIVES, VideoObjective, build_video_objective

from .cached_features import CachedFeatures
from .training_data import WINDOWS, TrainingData


class CachedObjective(ABC):
    """Training objective that draws its own batches."""

    @abstractmethod
    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        """Weighted losses by name; their sum is minimized."""


class CachedImageObjective(CachedObjective):
    """Instance contrastive loss on ``INPUT.NUM_VIEWS`` views of each image of a batch."""

    def __init__(self, cfg: CfgNode, cached: CachedFeatures, num_images: int) -> None:
        self._cached = cached
        self._views = _by_source(cached)
        self._num_views = cfg.INPUT.NUM_VIEWS
        self._num_sources = min(num_images // self._num_views, len(self._views))

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        sources = np.random.choice(len(self._views), self._num_sources, replace=False)
        drawn = [np.random.choice(self._views[i], self._num_views, replace=False) for i in sources]
        chosen = torch.from_numpy(np.concatenate(drawn))
        features = self._cached.features(head.in_features, chosen) if head.reads == "cells" else {}
        return head.losses(features, self._cached.instances(head.reads, chosen, self._cached.ids), (1, 1))


class CachedVideoObjective(CachedObjective):
    """Video objective on clips of ``INPUT.UNLABELED.NUM_FRAMES`` frames, ``INPUT.UNLABELED.INTERVAL`` apart."""

    def __init__(
        self,
        cfg: CfgNode,
        objective: VideoObjective,
        cached: CachedFeatures,
        num_images: int,
        tracklets: Tensor | None = None,
        num_windows: int = 1,
    ) -> None:
        """
        Args:
            cfg: Configuration with ``INPUT.UNLABELED``.
            objective: Video objective to minimize.
            cached: Features of the clips' frames.
            num_images: Frames of a batch.
            tracklets: (M,) int64 tracklet of each instance, -1 for none; for objectives that need them.
            num_windows: Number of consecutive sources that show one video.
        """
        self._objective, self._cached, self._tracklets = objective, cached, tracklets
        self._num_windows = num_windows
        self._clips = _by_source(cached)
        stride = int(cached.times[self._clips[0][1]] - cached.times[self._clips[0][0]])
        self._interval = [max(1, round(frames / stride)) for frames in cfg.INPUT.UNLABELED.INTERVAL]
        self._num_frames = min(cfg.INPUT.UNLABELED.NUM_FRAMES, min(len(clip) for clip in self._clips))
        self._num_clips = min(num_images // self._num_frames, len(self._clips))
        if self._num_clips == 0:
            raise ValueError(
                f"SOLVER.IMS_PER_BATCH gives {num_images} frames a batch; a clip needs {self._num_frames}: raise it"
            )

    def draw(self) -> Tensor:
        """(clips * num_frames,) int64 frames, clip by clip, each in order of time. No clip is drawn twice."""
        drawn = []
        for i in np.random.choice(len(self._clips), self._num_clips, replace=False):
            frames = draw_frame_indices(len(self._clips[i]), self._num_frames, *self._interval)
            drawn.append(self._clips[i][frames])
        return torch.from_numpy(np.concatenate(drawn))

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        chosen = self.draw()
        clips = CachedClips(self._cached, chosen, self._num_frames, self._num_windows)
        tracklets: list[Instances] = []
        if self._tracklets is not None:
            tracklets = self._cached.instances(head.reads, chosen, self._tracklets)
        needs_maps = head.reads == "cells" or not self._objective.needs_tracklets
        features = self._cached.features(head.in_features, chosen) if needs_maps else {}
        return self._objective(head, features, clips, tracklets, (1, 1))


class CachedClips(VideoClips):
    """Frames of cached clips as video objectives take them, without padding."""

    def __init__(self, cached: CachedFeatures, chosen: Tensor, num_frames: int, num_windows: int) -> None:
        self.num_frames = num_frames
        self.frames, self.videos = cached.times[chosen], cached.sources[chosen] // num_windows
        self._colors = cached.colors[chosen] if len(cached.colors) else cached.colors

    def colors(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Mean colors (N, 3, *size), and a mask (N, *size) that is True throughout."""
        return F.adaptive_avg_pool2d(self._colors, size), torch.ones((len(self._colors), *size), dtype=torch.bool)

    def inner_size(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[int, int]:
        """``size``: there is no padding."""
        return size


def _on_tracklets(
    objective: str, cfg: CfgNode, cached: CachedFeatures, tracklets: Tensor, count: int, num_windows: int = 1
) -> CachedObjective:
    return CachedVideoObjective(cfg, OBJECTIVES[objective](cfg), cached, count, tracklets, num_windows)


def _on_pixels(cfg: CfgNode, cached: CachedFeatures, count: int) -> CachedObjective:
    return CachedVideoObjective(cfg, build_video_objective(cfg), cached, count)


# Name -> builder from a form's configuration, its training data and the number of images of a batch.
CACHED_OBJECTIVES: dict[str, Callable[[CfgNode, TrainingData, int], CachedObjective]] = {
    "stills": lambda cfg, data, count: CachedImageObjective(cfg, data.stills, count),
    "augmented": lambda cfg, data, count: CachedImageObjective(cfg, data.augmented, count),
    "warped": lambda cfg, data, count: CachedImageObjective(cfg, data.warped, count),
    "tracklets": lambda cfg, data, count: _on_tracklets("tracklet", cfg, data.video, data.mined, count),
    "true ids": lambda cfg, data, count: _on_tracklets("tracklet", cfg, data.video, data.true_ids, count),
    "instance walk": lambda cfg, data, count: _on_tracklets("instance_walk", cfg, data.video, data.mined, count),
    "tracklets at scales": lambda cfg, data, count: _on_tracklets(
        "tracklet", cfg, data.scales, data.mined[data.scales.ids], count, WINDOWS["scales"][0]
    ),
    "pixels": lambda cfg, data, count: _on_pixels(cfg, data.grids, count),
    "pixels at half size": lambda cfg, data, count: _on_pixels(cfg, data.half_size, count),
    "pixels at scales": lambda cfg, data, count: _on_pixels(cfg, data.scales, count),
}


def _by_source(cached: CachedFeatures) -> list[np.ndarray]:
    """Images of each source, in order of time."""
    order = np.lexsort((cached.times.numpy(), cached.sources.numpy()))
    sources = cached.sources.numpy()[order]
    return np.split(order, np.flatnonzero(np.diff(sources)) + 1)
