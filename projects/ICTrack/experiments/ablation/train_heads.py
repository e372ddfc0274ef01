"""Training of embedding heads on cached features, and mining of the tracklets that some of them need."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.utils.env import seed_all_rng
from torch import Tensor, nn

from experiments.association.masks import DetectedClip, track_clip
from ictrack.engine.mine_tracklets import mining_config
from ictrack.engine.train_step import NonFiniteLossError
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.modeling.embedding import InstanceEmbeddingHead, build_embedding_head
from ictrack.tracking import build_tracker

from .cached_features import embed_detections
from .methods import HeadConfig
from .objectives import CACHED_OBJECTIVES
from .training_data import TrainingData

# Distance between the head seeds of two studies, so that none is shared.
_SEEDS_PER_STUDY = 1000


def config_of_head(cfg: CfgNode, head_config: HeadConfig) -> CfgNode:
    """Form's configuration with the head's overrides."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.merge_from_list(list(head_config.overrides))
    cfg.freeze()
    return cfg


def train_head(
    cfg: CfgNode, head_config: HeadConfig, data: TrainingData, shapes: dict[str, ShapeSpec], seed: int
) -> InstanceEmbeddingHead:
    """Head trained on its objectives, in evaluation mode.

    Every head of a form takes ``SOLVER.MAX_ITER`` steps of the same optimizer on ``SOLVER.IMS_PER_BATCH`` images, which
    the head's objectives share.

    Args:
        cfg: Configuration of the head, see :func:`config_of_head`.
        head_config: Objectives and initial weights.
        data: Training data of the form.
        shapes: Output shapes of the backbone.
        seed: Seed of the study.

    Raises:
        NonFiniteLossError: If training diverges.
    """
    seed_all_rng(_SEEDS_PER_STUDY * seed + int(head_config.is_second))
    head = build_embedding_head(cfg, shapes)
    assert isinstance(head, InstanceEmbeddingHead), "the ablation trains InstanceEmbeddingHead"
    if not head_config.objectives:
        return head.eval()
    num_images = cfg.SOLVER.IMS_PER_BATCH // len(head_config.objectives)
    objectives = [CACHED_OBJECTIVES[name](cfg, data, num_images) for name in head_config.objectives]
    optimizer = ICTrackTrainer.build_optimizer(cfg, head)
    scheduler = ICTrackTrainer.build_lr_scheduler(cfg, optimizer)
    for iteration in range(cfg.SOLVER.MAX_ITER):
        losses = {name: loss for objective in objectives for name, loss in objective(head).items()}
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            values = ", ".join(f"{name} {float(loss):.4g}" for name, loss in losses.items())
            raise NonFiniteLossError(f"iteration {iteration} of a head on {head_config.objectives}: {values}")
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(head.parameters(), cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE)
        optimizer.step()
        scheduler.step()
    return head.eval()


def head_content(
    cfg: CfgNode,
    head_config: HeadConfig,
    data: TrainingData,
    shapes: dict[str, ShapeSpec],
    seed: int,
    splits: list[str],
    weights: dict[str, Tensor] | None = None,
) -> dict[str, Any]:
    """Content of a head's cache file: its weights ("model"), the CPU "seconds" of its training, and under the name of
    each split the (M, D) embeddings of its detections. With ``weights`` the head has these instead of trained ones."""
    start = time.process_time()
    head = train_head(cfg, head_config, data, shapes, seed)
    if weights is not None:
        head.load_state_dict(weights)
    seconds = time.process_time() - start
    embedded = {}
    for split in splits:
        embedded[split] = embed_detections(head, data.detections(split))
    return {"model": head.state_dict(), "seconds": seconds, **embedded}


def mine_tracklets(cfg: CfgNode, clips: list[DetectedClip], embeddings: Tensor) -> Tensor:
    """Tracklets in detected clips, mined with the image head as by ``ictrack.engine.mine_tracklets``.

    Args:
        cfg: Configuration with ``MODEL.VIDEO_EMBEDDING.TRACKLET``.
        clips: Clips with all their frames.
        embeddings: (M, D) embeddings of their detections.

    Returns:
        (M,) int64 tracklet of each detection, numbered over all clips; -1 for none.
    """
    tracker = build_tracker(mining_config(cfg), 0, 0)
    set_feature(clips, "image", embeddings)
    mined: list[np.ndarray] = []
    first = 0
    for clip in clips:
        parts = []
        for frame, (rows, ids) in zip(clip.frames, track_clip(clip, "image", tracker)):
            of_frame = np.full(len(frame.rles), -1)
            of_frame[rows] = ids
            parts.append(of_frame)
        of_clip = np.concatenate(parts)
        lengths = np.bincount(of_clip[of_clip >= 0], minlength=1)
        long_enough = (of_clip >= 0) & (lengths[of_clip] >= cfg.MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH)
        mined.append(np.where(long_enough, first + of_clip, -1))
        first += len(lengths)
    return torch.from_numpy(np.concatenate(mined))


def set_feature(clips: list[DetectedClip], name: str, embeddings: Tensor) -> None:
    """Store (M, D) embeddings of the clips' detections in their frames' features."""
    frames = [frame for clip in clips for frame in clip.frames]
    for frame, part in zip(frames, embeddings.split([len(frame.rles) for frame in frames])):
        frame.features[name] = part


def purity(mined: Tensor, true: Tensor) -> float:
    """Share of the mined detections that show their tracklet's most frequent true object; NaN without any."""
    known = mined >= 0
    if not known.any():
        return math.nan
    counts = torch.zeros((int(mined.max()) + 1, max(int(true.max()), 0) + 2), dtype=torch.int64)
    counts.index_put_((mined[known], true[known] + 1), torch.tensor(1), accumulate=True)
    return float(counts[:, 1:].amax(dim=1).sum() / counts.sum())
