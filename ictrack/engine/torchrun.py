"""Processes that torchrun has started."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from detectron2.engine.launch import DEFAULT_TIMEOUT
from detectron2.utils import comm
from torch import distributed as dist

from .process_group import destroyed_group

_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def is_torchrun() -> bool:
    """Whether torchrun, or a launcher that sets its variables, has started this process."""
    return all(name in os.environ for name in _VARIABLES)


@contextmanager
def torchrun_group(args: argparse.Namespace) -> Iterator[None]:
    """Context of the group of all processes, over NCCL with GPUs and over gloo without.

    Args:
        args: Arguments of Detectron2's ``default_argument_parser``, whose numbers of processes and machines are set.
    """
    local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    args.num_gpus, args.num_machines = local_size, int(os.environ["WORLD_SIZE"]) // local_size
    args.machine_rank = int(os.environ["RANK"]) // local_size
    has_gpus = torch.cuda.is_available()
    if has_gpus:
        torch.cuda.set_device(local_rank)
    dist.init_process_group("nccl" if has_gpus else "gloo", timeout=DEFAULT_TIMEOUT)
    comm.create_local_process_group(local_size)
    comm.synchronize()
    with destroyed_group():
        yield
