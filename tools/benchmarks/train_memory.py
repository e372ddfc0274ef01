"""GPU memory of a training step, counted tensor by tensor on a machine without a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from detectron2.config import CfgNode
from tabulate import tabulate

from ictrack.engine.setup import load_config
from ictrack.engine.trainer import ICTrackTrainer
from ictrack.modeling.build import build_model
from ictrack.structures.command_line import OutputError

from .count_memory import CountMemory, CudaAutocast, without_sparse_matrices
from .made_up_batch import made_up_batch


def train_memory(config_file: str, instances: int, opts: Sequence[str], *, compute: bool = False) -> dict[str, Any]:
    """Bytes of one training step on one of the configuration's GPUs.

    Args:
        config_file: Configuration file; ``SOLVER.REFERENCE_WORLD_SIZE`` is the number of GPUs, 0 is one.
        instances: Number of instances in each synthetic image and frame.
        opts: KEY VALUE pairs.
        compute: Whether all is computed, which takes minutes and the memory; otherwise large results are zeros.

    Raises:
        OutputError: the batch is smaller than the number of GPUs.

    Returns:
        "gpus", "batch" (of a GPU, in words), "model" (weights, gradients, their copy in the buckets that processes
        exchange, and the optimizer's state), "step" (what is alive at the peak beside the weights, gradients and state)
        and "peak", in bytes, without the CUDA context, workspaces of cuDNN, and fragmentation; where all is computed,
        "losses" of the second step by name.
    """
    cfg = load_config(config_file, [*opts, "MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.HRNET.WEIGHTS", ""])
    gpus = max(cfg.SOLVER.REFERENCE_WORLD_SIZE, 1)
    if gpus > cfg.SOLVER.IMS_PER_BATCH:
        raise OutputError(
            f"{config_file}: SOLVER.IMS_PER_BATCH {cfg.SOLVER.IMS_PER_BATCH} is less than one a GPU of "
            f"SOLVER.REFERENCE_WORLD_SIZE {gpus}; 0 is a single GPU"
        )
    model = build_model(cfg).train()
    optimizer = ICTrackTrainer.build_optimizer(cfg, model)
    batch = made_up_batch(cfg, cfg.SOLVER.IMS_PER_BATCH // gpus, instances)
    counter = CountMemory(compute=compute)
    counter.watch([*model.parameters(), *model.buffers()])
    with counter, CudaAutocast(), without_sparse_matrices():
        _step(cfg, model, optimizer, batch)  # creates the optimizer's state
        counter.peak = kept = counter.alive
        losses = _step(cfg, model, optimizer, batch)
    buckets = sum(4 * p.numel() for p in model.parameters() if p.requires_grad) if gpus > 1 else 0
    return {
        "config": config_file,
        "gpus": gpus,
        "batch": _in_words(batch),
        "model": kept + buckets,
        "step": counter.peak - kept,
        "peak": counter.peak + buckets,
        **({"losses": losses} if compute else {}),
    }


def _step(cfg: CfgNode, model: Any, optimizer: torch.optim.Optimizer, batch: list[dict[str, Any]]) -> dict[str, float]:
    """Losses before a step of training. Raises FloatingPointError if one is not finite."""
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=cfg.SOLVER.AMP.ENABLED):
        losses = model(batch)
    if wrong := [name for name, loss in losses.items() if not loss.isfinite()]:
        raise FloatingPointError(f"{', '.join(wrong)}: not finite on made-up images")
    optimizer.zero_grad(set_to_none=False)  # between steps gradients stay in the buckets' place
    torch.stack([loss.float() for loss in losses.values()]).sum().backward()
    optimizer.step()
    return {name: loss.item() for name, loss in losses.items()}


def _in_words(batch: Sequence[dict[str, Any]]) -> str:
    parts: dict[str, int] = {}
    for x in batch:
        if "clip" in x:
            frames, _, height, width = x["clip"].shape
            kind = f"clips of {frames} frames"
        else:
            height, width = x["image"].shape[1:]
            kind = "pairs of frames" if "reference_image" in x else "images"
        part = f"{kind} of {height} x {width}"
        parts[part] = parts.get(part, 0) + 1
    return ", ".join(f"{count} {part}" for part, count in parts.items())


def memory_table(rows: Sequence[dict[str, Any]]) -> str:
    """Markdown table in GB of 10^9 bytes."""
    cells = [
        [
            row["config"].rsplit("/", 1)[-1],
            row["batch"],
            *(f"{row[key] / 1e9:.1f}" for key in ("model", "step", "peak")),
        ]
        for row in rows
    ]
    return tabulate(cells, ["configuration", "on each GPU", "model", "step", "peak"], tablefmt="github")
