"""The product's objectives on cached pictures, for each name in ``HeadRecipe.lessons``.

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

from .cached_features import Pictures
from .training_data import WINDOWS, Material


class Lesson(ABC):
    """Losses of a head on a batch that it draws."""

    @abstractmethod
    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        """The losses by name, of which the sum is minimised."""


class ImageLesson(Lesson):
    """The instance contrastive loss on ``INPUT.NUM_VIEWS`` views of each of several pictures."""

    def __init__(self, cfg: CfgNode, pictures: Pictures, num_pictures: int) -> None:
        self._pictures = pictures
        self._views = _by_source(pictures)
        self._num_views = cfg.INPUT.NUM_VIEWS
        self._num_sources = min(num_pictures // self._num_views, len(self._views))

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        sources = np.random.choice(len(self._views), self._num_sources, replace=False)
        drawn = [np.random.choice(self._views[i], self._num_views, replace=False) for i in sources]
        chosen = torch.from_numpy(np.concatenate(drawn))
        features = self._pictures.features(head.in_features, chosen) if head.reads == "cells" else {}
        return head.losses(features, self._pictures.instances(head.reads, chosen, self._pictures.ids), (1, 1))


class VideoLesson(Lesson):
    """An objective of the product on clips of ``INPUT.UNLABELLED.NUM_FRAMES`` frames at ``INPUT.UNLABELLED.INTERVAL``
    frames."""

    def __init__(
        self,
        cfg: CfgNode,
        objective: VideoObjective,
        pictures: Pictures,
        num_pictures: int,
        tracklets: Tensor | None = None,
        num_windows: int = 1,
    ) -> None:
        """
        Args:
            cfg: gives ``INPUT.UNLABELLED``.
            objective: that is learnt.
            pictures: frames of clips.
            num_pictures: of a batch.
            tracklets: (M,) of each instance of the pictures; -1: none. Needed by some objectives.
            num_windows: so many consecutive sources show one video.
        """
        self._objective, self._pictures, self._tracklets = objective, pictures, tracklets
        self._num_windows = num_windows
        self._clips = _by_source(pictures)
        stride = int(pictures.times[self._clips[0][1]] - pictures.times[self._clips[0][0]])
        self._interval = [max(1, round(frames / stride)) for frames in cfg.INPUT.UNLABELLED.INTERVAL]
        self._num_frames = min(cfg.INPUT.UNLABELLED.NUM_FRAMES, min(len(clip) for clip in self._clips))
        self._num_clips = min(num_pictures // self._num_frames, len(self._clips))
        if self._num_clips == 0:
            raise ValueError(
                f"a batch of {num_pictures} pictures (SOLVER.IMS_PER_BATCH) holds no {self._num_frames} frames"
            )

    def draw(self) -> Tensor:
        """(clips * num_frames,) pictures, clip by clip, each in order of time. No clip is drawn twice."""
        drawn = []
        for i in np.random.choice(len(self._clips), self._num_clips, replace=False):
            frames = draw_frame_indices(len(self._clips[i]), self._num_frames, *self._interval)
            drawn.append(self._clips[i][frames])
        return torch.from_numpy(np.concatenate(drawn))

    def __call__(self, head: InstanceEmbeddingHead) -> dict[str, Tensor]:
        chosen = self.draw()
        clips = CachedClips(self._pictures, chosen, self._num_frames, self._num_windows)
        tracklets: list[Instances] = []
        if self._tracklets is not None:
            tracklets = self._pictures.instances(head.reads, chosen, self._tracklets)
        needs_maps = head.reads == "cells" or not self._objective.needs_tracklets
        features = self._pictures.features(head.in_features, chosen) if needs_maps else {}
        return self._objective(head, features, clips, tracklets, (1, 1))


class CachedClips(VideoClips):
    """Chosen frames of cached clips, as video objectives take them. They have no padding."""

    def __init__(self, pictures: Pictures, chosen: Tensor, num_frames: int, num_windows: int) -> None:
        self.num_frames = num_frames
        self.frames, self.videos = pictures.times[chosen], pictures.sources[chosen] // num_windows
        self._colors = pictures.colors[chosen] if len(pictures.colors) else pictures.colors

    def colors(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Mean colors at ``size``, all of them valid."""
        return F.adaptive_avg_pool2d(self._colors, size), torch.ones((len(self._colors), *size), dtype=torch.bool)

    def inner_size(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[int, int]:
        """All of it."""
        return size


def _on_tracklets(
    objective: str, cfg: CfgNode, pictures: Pictures, tracklets: Tensor, count: int, num_windows: int = 1
) -> Lesson:
    return VideoLesson(cfg, OBJECTIVES[objective](cfg), pictures, count, tracklets, num_windows)


def _on_pixels(cfg: CfgNode, pictures: Pictures, count: int) -> Lesson:
    return VideoLesson(cfg, build_video_objective(cfg), pictures, count)


# Name -> lesson of a form's configuration and material, on batches of so many pictures.
LESSONS: dict[str, Callable[[CfgNode, Material, int], Lesson]] = {
    "stills": lambda cfg, m, count: ImageLesson(cfg, m.stills, count),
    "augmented": lambda cfg, m, count: ImageLesson(cfg, m.augmented, count),
    "warped": lambda cfg, m, count: ImageLesson(cfg, m.warped, count),
    "tracklets": lambda cfg, m, count: _on_tracklets("tracklet", cfg, m.video, m.mined, count),
    "true ids": lambda cfg, m, count: _on_tracklets("tracklet", cfg, m.video, m.true_ids, count),
    "instance walk": lambda cfg, m, count: _on_tracklets("instance_walk", cfg, m.video, m.mined, count),
    "tracklets at scales": lambda cfg, m, count: _on_tracklets(
        "tracklet", cfg, m.scales, m.mined[m.scales.ids], count, WINDOWS["scales"][0]
    ),
    "pixels": lambda cfg, m, count: _on_pixels(cfg, m.grids, count),
    "pixels at half size": lambda cfg, m, count: _on_pixels(cfg, m.half_size, count),
    "pixels at scales": lambda cfg, m, count: _on_pixels(cfg, m.scales, count),
}


def _by_source(pictures: Pictures) -> list[np.ndarray]:
    """The pictures of each source, in order of time."""
    order = np.lexsort((pictures.times.numpy(), pictures.sources.numpy()))
    sources = pictures.sources.numpy()[order]
    return np.split(order, np.flatnonzero(np.diff(sources)) + 1)
