"""Learning rate schedules in addition to Detectron2's."""

from __future__ import annotations

from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.solver import LRMultiplier, WarmupParamScheduler, build_lr_scheduler
from fvcore.common.param_scheduler import PolynomialDecayParamScheduler


def build_scheduler(cfg: CfgNode, optimizer: torch.optim.Optimizer) -> Any:
    """Scheduler ``SOLVER.LR_SCHEDULER_NAME``: "WarmupPolyLR", (1 - iteration / MAX_ITER) ** SOLVER.POLY_POWER after
    Detectron2's warm-up, or one of Detectron2's own."""
    solver = cfg.SOLVER
    if solver.LR_SCHEDULER_NAME != "WarmupPolyLR":
        return build_lr_scheduler(cfg, optimizer)
    schedule = WarmupParamScheduler(
        PolynomialDecayParamScheduler(1.0, solver.POLY_POWER),
        solver.WARMUP_FACTOR,
        min(solver.WARMUP_ITERS / solver.MAX_ITER, 1.0),
        solver.WARMUP_METHOD,
        solver.RESCALE_INTERVAL,
    )
    return LRMultiplier(optimizer, multiplier=schedule, max_iter=solver.MAX_ITER)
