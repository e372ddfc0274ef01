"""Objectives of a crop encoder other than the library's: without time, without tracklets, and of pixels.

They have the form of :data:`ictrack.identities.crop_encoder.Objective`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ictrack.identities import CropEncoder
from ictrack.identities.crop_encoder import (
    CELLS,
    CROPS,
    DIM,
    TEMPERATURE,
    Batch,
    Objective,
    augmented,
    to_tensor,
    tracklet_contrast,
)
from ictrack.losses.random_walk import instance_walk_loss, random_walk_loss
from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss
from ictrack.losses.video_correspondence import video_correspondence_loss

# Largest number of frames between two frames of a walk, or of a pair; and the settings of the quick-start's objectives.
_STRIDE, _EDGE_DROPOUT, _WALK_TEMPERATURE = 8, 0.1, 0.07
_CORRESPONDENCE: dict[str, Any] = {
    "channel_weights": [1.0, 1.0, 1.0], "max_color_loss": None, "window": 4, "cycle": "probability",
    "temperature": 0.07, "normalize": True,
}  # fmt: skip


class DenseCropEncoder(CropEncoder):
    """Encoder with a dense map, whose mean is the embedding; the first layers are those of the library's."""

    def __init__(self) -> None:
        super().__init__()
        *trunk, _, linear = self.layers
        assert isinstance(linear, nn.Linear)
        width = linear.in_features // (CELLS[0] * CELLS[1])
        self.layers = nn.Sequential(*trunk, nn.Conv2d(width, DIM, 1))

    def maps(self, crops: Tensor) -> Tensor:
        """(N, 64, 5, 8) maps of (N, 3, 40, 64) crops in 0 to 1."""
        return self.layers((crops - 0.3) / 0.2)

    def forward(self, crops: Tensor) -> Tensor:
        return functional.normalize(self.maps(crops).mean(dim=(2, 3)), dim=1)


def augmented_crops(encoder: Any, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Contrastive loss without time: the positives are views of one crop."""
    tracklets, crops, groups = batch
    pictures, ids, times = [], [], []
    for frame, members in groups.items():
        for index in members:
            pictures += CROPS * [crops[index][tracklets[index].position(frame)]]
            ids += CROPS * [index]
            # The loss compares different frames: views of a crop are given some of their own.
            times += [CROPS * frame + view for view in range(CROPS)]
    embeddings = encoder(augmented(to_tensor(np.stack(pictures))))
    drawn = torch.tensor(ids), torch.tensor(times), torch.zeros(len(ids), dtype=torch.int64)
    return tracklet_contrastive_loss(embeddings, *drawn, temperature=TEMPERATURE)


def instance_walk(encoder: Any, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Random walk over the objects of three frames, whose identities are not used."""
    tracklets, crops, groups = batch
    pictures: list[np.ndarray] = []
    sizes: list[list[int]] = []
    for frame, members in groups.items():
        stride = int(rng.integers(1, _STRIDE + 1))
        counts = []
        for time in (frame, frame + stride, frame + 2 * stride):
            seen = [i for i in members if tracklets[i].frames[0] <= time <= tracklets[i].frames[-1]]
            pictures += [crops[i][tracklets[i].position(time)] for i in seen]
            counts.append(len(seen))
        sizes.append(counts)
    embeddings = encoder(augmented(to_tensor(np.stack(pictures))))
    clips, start = [], 0
    for counts in sizes:
        clips.append(list(embeddings[start : start + sum(counts)].split(counts)))
        start += sum(counts)
    return instance_walk_loss(clips, temperature=_WALK_TEMPERATURE, edge_dropout=_EDGE_DROPOUT)


def correspondence(encoder: Any, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Color correspondence between the dense maps of crops of one object, a few frames apart."""
    pairs = _pairs(batch, rng, 2)
    maps = encoder.maps(pairs.flatten(0, 1)).unflatten(0, pairs.shape[:2])
    size = (maps.shape[-2], maps.shape[-1])
    colors = functional.adaptive_avg_pool2d(pairs.flatten(0, 1), size).unflatten(0, pairs.shape[:2])
    terms = video_correspondence_loss(maps[:, 0], maps[:, 1], colors[:, 0], colors[:, 1], **_CORRESPONDENCE)
    return torch.stack(list(terms)).sum()


def random_walk(encoder: Any, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Random walk over the cells of the dense maps of three crops of one object."""
    clips = _pairs(batch, rng, 3)
    maps = encoder.maps(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
    nodes = [frame.flatten(2).transpose(1, 2) for frame in maps.unbind(1)]
    return random_walk_loss(nodes, temperature=_WALK_TEMPERATURE, edge_dropout=_EDGE_DROPOUT)


def with_tracklets(objective: Objective) -> Objective:
    """Sum of the library's objective and another one."""

    def both(*arguments: Any) -> Tensor:
        return tracklet_contrast(*arguments) + objective(*arguments)

    return both


def _pairs(batch: Batch, rng: np.random.Generator, length: int) -> Tensor:
    """(N, ``length``, 3, H, W) crops of one tracklet each, up to a few frames apart, each augmented by itself."""
    tracklets, crops, groups = batch
    pictures = []
    for frame, members in groups.items():
        for index in members:
            stride = int(rng.integers(1, _STRIDE + 1))
            start = tracklets[index].position(frame)
            positions = np.minimum(start + stride * np.arange(length), len(tracklets[index]) - 1)
            pictures += [crops[index][position] for position in positions]
    return augmented(to_tensor(np.stack(pictures))).unflatten(0, (-1, length))
