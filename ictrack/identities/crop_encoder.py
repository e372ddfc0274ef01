"""Embedding of crops, learnt from tracklets of the video itself."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss

from .certain_tracklets import Tracklet
from .crops import SIZE

DIM = 64
_WIDTHS = ((24, 1), (32, 2), (48, 2), (64, 2), (64, 1))
# Height and width of the last map.
CELLS = tuple(math.ceil(side / math.prod(stride for _, stride in _WIDTHS)) for side in SIZE)
# Groups of tracklets that meet in a batch, crops of each, and the temperature of their cosines.
GROUPS, CROPS, TEMPERATURE = 3, 4, 0.1
_LEARNING_RATE, _WEIGHT_DECAY = 1e-3, 1e-2
# Largest turn in radians, share of the scale, shift in halves of the crop, and share of the brightness.
_TURN, _SCALE, _SHIFT, _BRIGHTNESS = 0.17, 0.05, 0.06, 0.1


class CropEncoder(nn.Module):
    """Small convolutional network from crops to embeddings of 64 numbers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in _WIDTHS:
            layers += [nn.Conv2d(channels, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * CELLS[0] * CELLS[1], DIM))

    def forward(self, crops: Tensor) -> Tensor:
        """(N, 64) unit vectors of (N, 3, 40, 64) crops in 0 to 1."""
        return F.normalize(self.layers((crops - 0.3) / 0.2), dim=1)

    @torch.no_grad()
    def embed(self, crops: np.ndarray, batch: int = 64) -> np.ndarray:
        """(N, 64) float32 unit vectors of (N, 40, 64, 3) uint8 crops."""
        self.eval()
        parts = [self(to_tensor(crops[start : start + batch])) for start in range(0, len(crops), batch)]
        return torch.cat(parts).numpy() if parts else np.zeros((0, DIM), dtype=np.float32)


class Batch(NamedTuple):
    """Tracklets that meet in a few frames.

    Attributes:
        tracklets: All tracklets of the training.
        crops: (T_i, 40, 64, 3) uint8 crops of each.
        groups: Frame -> indices of the tracklets in it.
    """

    tracklets: Sequence[Tracklet]
    crops: Sequence[np.ndarray]
    groups: Mapping[int, Sequence[int]]


# Function of an encoder, a batch and a source of draws that returns a scalar loss.
Objective = Callable[[CropEncoder, Batch, np.random.Generator], Tensor]


def tracklet_contrast(encoder: CropEncoder, batch: Batch, rng: np.random.Generator, doubt: float = 0.0) -> Tensor:
    """Contrastive loss of the tracklets in a few frames: of each, its crop there and some at other times.

    Positives and certain negatives are those of :func:`tracklet_contrastive_loss`: tracklets that never meet may be one
    object, and are pushed apart only as much as ``doubt`` says.
    """
    tracklets, crops, groups = batch
    pictures, ids, times = [], [], []
    for frame, members in groups.items():
        for index in members:
            tracklet = tracklets[index]
            positions = [tracklet.position(frame), *rng.integers(len(tracklet), size=CROPS - 1)]
            pictures += [crops[index][position] for position in positions]
            ids += CROPS * [index]
            times += tracklet.frames[positions].tolist()
    embeddings = encoder(augmented(to_tensor(np.stack(pictures))))
    drawn = torch.tensor(ids), torch.tensor(times), torch.zeros(len(ids), dtype=torch.int64)
    return tracklet_contrastive_loss(embeddings, *drawn, temperature=TEMPERATURE, doubt=doubt)


def train_encoder(
    tracklets: Sequence[Tracklet],
    crops: Sequence[np.ndarray],
    *,
    iterations: int,
    seed: int = 0,
    start: CropEncoder | None = None,
    objective: Objective = tracklet_contrast,
) -> CropEncoder:
    """Encoder that tells tracklets apart which meet in a frame, and recognizes each at other times.

    A step takes the loss of a few frames at random.

    Args:
        tracklets: Tracklets.
        crops: (T, 40, 64, 3) uint8 crops of each.
        iterations: Number of steps.
        seed: Seed of the weights and the draws.
        start: Encoder to start from; None: one with random weights.
        objective: Loss of the tracklets in a few frames.

    Raises:
        ValueError: If there are no tracklets, or no two of them meet: there is nothing to tell apart.
    """
    if not tracklets:
        raise ValueError("no object was found in enough frames one after another: nothing can be told apart")
    groups = groups_by_frame(tracklets)
    if not groups:
        raise ValueError("no two tracklets are in one frame: nothing says who is different")
    frames = sorted(groups)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        encoder = (CropEncoder() if start is None else copy.deepcopy(start)).train()
        optimizer = torch.optim.AdamW(encoder.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(iterations, 1))
        for _ in range(iterations):
            drawn = {frame: groups[frame] for frame in rng.choice(frames, GROUPS).tolist()}
            optimizer.zero_grad()
            objective(encoder, Batch(tracklets, crops, drawn), rng).backward()
            optimizer.step()
            schedule.step()
    return encoder


def groups_by_frame(tracklets: Sequence[Tracklet]) -> dict[int, list[int]]:
    """Indices of the tracklets in each frame that at least two are in."""
    groups: dict[int, list[int]] = {}
    for index, tracklet in enumerate(tracklets):
        for frame in tracklet.frames.tolist():
            groups.setdefault(frame, []).append(index)
    return {frame: members for frame, members in groups.items() if len(members) > 1}


def to_tensor(crops: np.ndarray) -> Tensor:
    """(N, 3, H, W) float32 in 0 to 1 of (N, H, W, 3) uint8 crops."""
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


def augmented(crops: Tensor) -> Tensor:
    """(N, 3, H, W) crops, a little turned, scaled, shifted, and brighter or darker."""

    def draw(*shape: int) -> Tensor:
        return 2 * torch.rand(shape) - 1

    count, (height, width) = len(crops), SIZE
    angle, scale = _TURN * draw(count), 1 + _SCALE * draw(count)
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = maps[:, 1, 1] = scale * angle.cos()
    maps[:, 0, 1] = -scale * angle.sin() * height / width
    maps[:, 1, 0] = scale * angle.sin() * width / height
    maps[:, :, 2] = _SHIFT * draw(count, 2)
    grid = F.affine_grid(maps, [count, 3, height, width], align_corners=False)
    moved = F.grid_sample(crops, grid, align_corners=False)
    # Black stays black: it is outside the object.
    return moved * (1 + _BRIGHTNESS * draw(count, 1, 1, 1))
