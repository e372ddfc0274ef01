"""Trains embedding heads on cached pictures, and finds the tracklets that some of them learn from."""

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
from .methods import HeadRecipe
from .objectives import LESSONS
from .training_data import Material

# Seeds of heads: those of one study's seed must not be another's.
_SEEDS_PER_STUDY = 1000


def recipe_config(cfg: CfgNode, recipe: HeadRecipe) -> CfgNode:
    """A form's configuration with a recipe's overrides."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.merge_from_list(list(recipe.overrides))
    cfg.freeze()
    return cfg


def train_head(
    cfg: CfgNode, recipe: HeadRecipe, material: Material, shapes: dict[str, ShapeSpec], seed: int
) -> InstanceEmbeddingHead:
    """A head in evaluation mode, trained by its recipe.

    Every head of a form takes ``SOLVER.MAX_ITER`` steps of the same optimiser on ``SOLVER.IMS_PER_BATCH`` pictures;
    lessons that share a head share these.

    Args:
        cfg: of :func:`recipe_config`.
        shapes: of the backbone.
        seed: of the study.

    Raises:
        NonFiniteLossError: training diverged.
    """
    seed_all_rng(_SEEDS_PER_STUDY * seed + int(recipe.is_second))
    head = build_embedding_head(cfg, shapes)
    assert isinstance(head, InstanceEmbeddingHead), "the ablation trains InstanceEmbeddingHead"
    if not recipe.lessons:
        return head.eval()
    num_pictures = cfg.SOLVER.IMS_PER_BATCH // len(recipe.lessons)
    lessons = [LESSONS[name](cfg, material, num_pictures) for name in recipe.lessons]
    optimizer = ICTrackTrainer.build_optimizer(cfg, head)
    scheduler = ICTrackTrainer.build_lr_scheduler(cfg, optimizer)
    for iteration in range(cfg.SOLVER.MAX_ITER):
        losses = {name: loss for lesson in lessons for name, loss in lesson(head).items()}
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            values = ", ".join(f"{name} {float(loss):.4g}" for name, loss in losses.items())
            raise NonFiniteLossError(f"iteration {iteration} of a head on {recipe.lessons}: {values}")
        optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(head.parameters(), cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE)
        optimizer.step()
        scheduler.step()
    return head.eval()


def head_content(
    cfg: CfgNode,
    recipe: HeadRecipe,
    material: Material,
    shapes: dict[str, ShapeSpec],
    seed: int,
    splits: list[str],
    weights: dict[str, Tensor] | None = None,
) -> dict[str, Any]:
    """What the cache keeps of a head: "model", "seconds" of its training (CPU), and its embeddings of the detections of
    each split, "val" and so on. With ``weights`` it has these instead of being trained."""
    start = time.process_time()
    head = train_head(cfg, recipe, material, shapes, seed)
    if weights is not None:
        head.load_state_dict(weights)
    seconds = time.process_time() - start
    embedded = {}
    for split in splits:
        embedded[split] = embed_detections(head, material.detections(split))
    return {"model": head.state_dict(), "seconds": seconds, **embedded}


def mine_tracklets(cfg: CfgNode, clips: list[DetectedClip], embeddings: Tensor) -> Tensor:
    """Tracklets in detected clips, found with the image head as ``ictrack.engine.mine_tracklets`` finds them.

    Args:
        cfg: gives ``MODEL.VIDEO_EMBEDDING.TRACKLET``.
        clips: all frames of each.
        embeddings: (M, D) of their detections.

    Returns:
        (M,) int64: the tracklet, whose number no other clip has; -1: none.
    """
    tracker = build_tracker(mining_config(cfg), 0, 0)
    set_feature(clips, "image", embeddings)
    found: list[np.ndarray] = []
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
        found.append(np.where(long_enough, first + of_clip, -1))
        first += len(lengths)
    return torch.from_numpy(np.concatenate(found))


def set_feature(clips: list[DetectedClip], name: str, embeddings: Tensor) -> None:
    """Deal out (M, D) embeddings to the frames of clips."""
    frames = [frame for clip in clips for frame in clip.frames]
    for frame, part in zip(frames, embeddings.split([len(frame.rles) for frame in frames])):
        frame.features[name] = part


def purity(mined: Tensor, true: Tensor) -> float:
    """Share of the mined detections that belong to their tracklet's most frequent true object. NaN without any."""
    known = mined >= 0
    if not known.any():
        return math.nan
    counts = torch.zeros((int(mined.max()) + 1, int(true.max()) + 2), dtype=torch.int64)
    counts.index_put_((mined[known], true[known] + 1), torch.tensor(1), accumulate=True)
    return float(counts[:, 1:].amax(dim=1).sum() / counts.sum())
