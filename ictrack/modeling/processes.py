"""Values of all processes of a data-parallel training. With one process they are its own.

DistributedDataParallel averages gradients over the processes. So that they are those of one process with the whole
batch, a loss that is a sum over something is divided by :func:`shared_count`, and a loss that compares instances
compares those of all processes (:func:`gather_rows`). Means over equal numbers, such as of images, need neither.
"""

from __future__ import annotations

from typing import Any

import torch
from detectron2.utils import comm
from torch import Tensor
from torch import distributed as dist


def any_process(value: bool) -> bool:
    """Whether ``value`` is True in any process. All must call it."""
    if comm.get_world_size() == 1:
        return value
    flag = torch.tensor(int(value), device=_device())
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)


def shared_count(count: float) -> float:
    """Sum of a count over the W processes, at least 1, divided by W. All must call it.

    Each process divides its sum by it; the mean of these quotients is the sum of all over the count of all.
    """
    processes = comm.get_world_size()
    if processes == 1:
        return max(count, 1)
    total = torch.tensor(float(count), dtype=torch.float64, device=_device())
    dist.all_reduce(total)
    return max(total.item(), 1.0) / processes


def gather_rows(rows: Tensor) -> Tensor:
    """Rows of all processes, in their order, with gradients. All must call it, and compute the same loss from it.

    Args:
        rows: (N, ...), N may differ from process to process.
    """
    return rows if comm.get_world_size() == 1 else _GatherRows.apply(rows)


def process_ids(ids: Tensor) -> Tensor:
    """Ids (N,) int64 of which negative ones, each process's own numbers of unnamed instances, differ between all
    processes."""
    ids = ids.long()  # an image's empty list of ids may have another type
    return torch.where(ids < 0, ids - (comm.get_rank() << 40), ids)


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        processes, rank = comm.get_world_size(), comm.get_rank()
        count = torch.tensor([len(rows)], device=rows.device)
        counts = [torch.zeros_like(count) for _ in range(processes)]
        dist.all_gather(counts, count)
        sizes = [int(x) for x in counts]
        padded = rows.new_zeros((max(sizes), *rows.shape[1:]))
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in range(processes)]
        dist.all_gather(gathered, padded)
        ctx.start, ctx.size, ctx.processes = sum(sizes[:rank]), len(rows), processes
        return torch.cat([x[:size] for x, size in zip(gathered, sizes)])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # The losses of all processes are equal, and so are their gradients: the sum needs no communication.
        return ctx.processes * gradient[ctx.start : ctx.start + ctx.size]


def _device() -> torch.device:
    """Device of tensors that the processes exchange."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
