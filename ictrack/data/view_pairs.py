"""Pairs of frames of unlabelled video to look at an embedding with, the same in every call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from detectron2.config import CfgNode

from .mixed_loader import numpy_seed
from .random_access_video import RandomAccessVideo
from .tracklets import VideoTracklets
from .video_dataset_mapper import VideoDatasetMapper

# Magnification and degrees of rotation in which two views of one frame may differ.
VIEW_ZOOM = (1.0, 1.5)
VIEW_ROTATION = 10.0


class ViewPairMapper(VideoDatasetMapper):
    """Two views of one frame, each with a window and colours of its own, so that their true mapping is known."""

    @classmethod
    def from_config(
        cls, cfg: CfgNode, num_videos: int, tracklets: Mapping[str, VideoTracklets] | None = None
    ) -> dict[str, Any]:
        """Arguments of :class:`VideoDatasetMapper`."""
        views = {"num_frames": 2, "same_window": False, "zoom": VIEW_ZOOM, "rotation": VIEW_ROTATION}
        return {**super().from_config(cfg, num_videos, tracklets), **views}

    def _draw_indices(self, video: RandomAccessVideo, record: dict[str, Any]) -> list[int]:
        return super()._draw_indices(video, record)[:1] * 2


def draw_pairs(
    mapper: VideoDatasetMapper, records: Sequence[dict[str, Any]], count: int, seed: int
) -> list[dict[str, Any]]:
    """``count`` samples; videos take turns in random order. Bad videos are passed over, as in training.

    Args:
        mapper: of two frames.
        records: videos, at least one.
        count: of samples.
        seed: of everything that is random.

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
