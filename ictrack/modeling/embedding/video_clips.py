"""Samples of unlabeled video in a training batch.

Naming convention:
    S: samples of the batch, T: frames of each, (H, W): network's input with padding
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from detectron2.structures import Instances
from torch import Tensor
from torch.nn import functional as F


def split_batch(batch: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(labeled images, samples of unlabeled video); the latter have a "reference_image" or a "clip"."""
    parts: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
    for x in batch:
        parts["reference_image" in x or "clip" in x].append(x)
    return parts


class VideoClips:
    """Frames of all samples, sample by sample, each in order of time.

    Attributes:
        num_frames: T.
        images: S * T tensors (3, h, w).
        frames: (S * T,) int64 index of each frame in its video.
        videos: (S * T,) int64 number of each frame's video, the same in all processes.
    """

    def __init__(self, samples: Sequence[dict[str, Any]], device: torch.device) -> None:
        """
        Args:
            samples: At least one sample of ``VideoDatasetMapper``; all have the same number of frames.
            device: Device of the results.

        Raises:
            ValueError: If the numbers of frames differ.
        """
        lengths = {len(x["frame_indices"]) for x in samples}
        if len(lengths) != 1:
            raise ValueError(f"samples of unlabeled video in one batch differ in length: {sorted(lengths)} frames")
        self._samples, self._device = samples, device
        self.num_frames = lengths.pop()
        self.images: list[Tensor] = [image for x in samples for image in _frames(x, "image", "clip")]
        self.frames = torch.tensor([index for x in samples for index in x["frame_indices"]], device=device)
        videos = torch.tensor([_number(x["video_name"]) for x in samples], device=device)
        self.videos = videos.repeat_interleave(self.num_frames)

    def colors(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Colors and validity at the resolution of a feature map.

        Args:
            size: (h', w') of the map.
            padded_size: (H, W).

        Returns:
            (S * T, 3, h', w') float32 mean colors of the valid area, and (S * T, h', w') bool, True for cells of which
            at least half is valid.

        Raises:
            ValueError: If INPUT.UNLABELED.COLOR_STRIDE does not divide ``padded_size``.
        """
        colors = torch.stack([c for x in self._samples for c in _frames(x, "colors", "clip_colors")])
        valid = torch.stack([v for x in self._samples for v in _frames(x, "valid", "clip_valid")])
        stride = self.images[0].shape[-1] // colors.shape[-1]  # INPUT.UNLABELED.COLOR_STRIDE
        if padded_size[0] % stride or padded_size[1] % stride:
            raise ValueError(
                f"the network pads unlabeled video to {padded_size[0]} x {padded_size[1]} pixels, which "
                f"INPUT.UNLABELED.COLOR_STRIDE {stride} does not divide"
            )
        padding = (0, padded_size[1] // stride - colors.shape[-1], 0, padded_size[0] // stride - colors.shape[-2])
        shares = F.pad(valid[:, None].to(self._device, torch.float32), padding)
        weighted = F.pad(colors.to(self._device), padding) * shares
        share = F.adaptive_avg_pool2d(shares, size)
        means = F.adaptive_avg_pool2d(weighted, size) / share.clamp(min=torch.finfo(share.dtype).tiny)
        return means, share[:, 0] >= 0.5

    def inner_size(self, size: tuple[int, int], padded_size: tuple[int, int]) -> tuple[int, int]:
        """(rows, columns) of a map of ``size`` over ``padded_size`` that are not padding."""
        height, width = self.images[0].shape[-2:]
        return max(1, round(size[0] * height / padded_size[0])), max(1, round(size[1] * width / padded_size[1]))

    def tracklets(self) -> list[Instances]:
        """Instances of each frame: gt_masks (BitMasks) and gt_boxes, or gt_keypoints; gt_classes; gt_ids, the number of
        the tracklet in the frame's video.

        Raises:
            ValueError: If a sample has none.
        """
        if any("tracklets" not in x for x in self._samples):
            raise ValueError(
                "the objective needs tracklets: set DATASETS.UNLABELED_TRACKLETS to a file of "
                "ictrack.engine.mine_tracklets.with_tracklets"
            )
        return [instances for x in self._samples for instances in x["tracklets"]]


def _number(name: str) -> int:
    """Number of a video, 56 bits of its name's hash."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")


def _frames(sample: dict[str, Any], pair: str, clip: str) -> Sequence[Tensor]:
    return sample[clip] if clip in sample else (sample[pair], sample[f"reference_{pair}"])
