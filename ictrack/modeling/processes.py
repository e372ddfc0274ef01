"""Values of all processes of a data-parallel training. With one process they are its own."""

from __future__ import annotations

import torch
from detectron2.utils import comm
from torch import distributed as dist


def _device() -> torch.device:
    """Device of tensors that the processes exchange."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


def any_process(value: bool) -> bool:
    """Whether ``value`` is True in any process. All must call it."""
    if comm.get_world_size() == 1:
        return value
    flag = torch.tensor(int(value), device=_device())
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return bool(flag)
