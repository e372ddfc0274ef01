"""Reproducible pairs of frames of unlabeled video, for checks of an embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from detectron2.config import CfgNode

from .mixed_loader import numpy_seed
from .random_access_video import RandomAccessVideo
from .tracklets import VideoTracklets
from .video_dataset_mapper import VideoDatasetMapper

VIEW_ZOOM = (1.0, 1.5)  # range of a view's magnification
VIEW_ROTATION = 10.0  # largest rotation of a view, in degrees


class ViewPairMapper(VideoDatasetMapper):
    """Mapper of a video to two views of one frame, each with its own window and colors, with known mapping."""

    @classmethod
    def from_config(
        cls, cfg: CfgNode, num_videos: int, tracklets: Mapping[str, VideoTracklets] | None = None
    ) -> dict[str, Any]:
        views = {"num_frames": 2, "same_window": False, "zoom": VIEW_ZOOM, "rotation": VIEW_ROTATION}
        return {**super().from_config(cfg, num_videos, tracklets), **views}

    def _draw_indices(self, video: RandomAccessVideo, record: dict[str, Any]) -> list[int]:
        return super()._draw_indices(video, record)[:1] * 2


def draw_pairs(
    mapper: VideoDatasetMapper, records: Sequence[dict[str, Any]], count: int, seed: int
) -> list[dict[str, Any]]:
    """Samples of videos, which take turns in random order. Bad videos are skipped, as in training.

    Args:
        mapper: Mapper to two frames.
        records: Records of videos, at least one.
        count: Number of samples.
        seed: Seed of everything that is random.

    Raises:
        ValueError: there is no video.
    """
    if not records:
        raise ValueError("there is no video to draw pairs of frames from")
    samples: list[dict[str, Any]] = []
    with numpy_seed(seed):
        while len(samples) < count:
            found = [mapper(records[i]) for i in np.random.permutation(len(records))[: count - len(samples)]]
            samples += [sample for sample in found if sample is not None]
    return samples
