"""Optimizers by name."""

from __future__ import annotations

import torch
from detectron2.config import CfgNode
from detectron2.solver import build_optimizer as build_sgd
from detectron2.solver.build import get_default_optimizer_params, maybe_add_gradient_clipping
from torch import nn

_ADAPTIVE = {"ADAM": torch.optim.Adam, "ADAMW": torch.optim.AdamW}


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Optimizer ``SOLVER.OPTIMIZER``: "SGD" (Detectron2's), "ADAM" or "ADAMW".

    ``SOLVER.CLIP_GRADIENTS.CLIP_TYPE`` "value" and "norm" (by parameter) are applied by the optimizer, "full_model"
    (norm of all gradients together) by the training step.
    """
    if clips_full_model(cfg):
        cfg = cfg.clone()
        cfg.defrost()
        cfg.SOLVER.CLIP_GRADIENTS.ENABLED = False
    name = cfg.SOLVER.OPTIMIZER.upper()
    if name == "SGD":
        return build_sgd(cfg, model)
    if name not in _ADAPTIVE:
        raise ValueError(f"SOLVER.OPTIMIZER is {cfg.SOLVER.OPTIMIZER}, must be SGD, ADAM or ADAMW")
    parameters = get_default_optimizer_params(
        model,
        base_lr=cfg.SOLVER.BASE_LR,
        weight_decay_norm=cfg.SOLVER.WEIGHT_DECAY_NORM,
        bias_lr_factor=cfg.SOLVER.BIAS_LR_FACTOR,
        weight_decay_bias=cfg.SOLVER.WEIGHT_DECAY_BIAS,
    )
    return maybe_add_gradient_clipping(cfg, _ADAPTIVE[name])(
        parameters, lr=cfg.SOLVER.BASE_LR, weight_decay=cfg.SOLVER.WEIGHT_DECAY
    )


def clips_full_model(cfg: CfgNode) -> bool:
    """Whether the norm of all gradients together is limited."""
    return cfg.SOLVER.CLIP_GRADIENTS.ENABLED and cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE == "full_model"
