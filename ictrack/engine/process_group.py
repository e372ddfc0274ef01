"""Processes that work together: their start, and the end of their group."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from traceback import clear_frames
from typing import Any

# Default arguments in this module of PyTorch are the group of the moment at which it is imported, and would keep that
# group as long as the interpreter. It comes with DistributedDataParallel, so it is imported here, before there is one.
import torch.distributed.nn  # noqa: F401
from detectron2.engine import launch
from detectron2.utils import comm
from torch import distributed as dist

from .preemption import PREEMPTED


@contextmanager
def destroyed_group() -> Iterator[None]:
    """Context after which this process's group and its threads are gone, also where all end with :data:`PREEMPTED`.

    Threads of gloo keep the tensors of an operation a little longer than it lasts. If one lets go of them while the
    interpreter ends, the process is aborted (SIGABRT) instead of ending with its own status
    (https://github.com/pytorch/pytorch/issues/190489). The threads end with the last reference to their group, so
    whatever in the context refers to a ``DistributedDataParallel`` must be local to it. After an error the group
    stays: another process may wait in an operation, for which destroying would wait, too.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == PREEMPTED:
            clear_frames(end.__traceback__)  # their variables refer to the model
            _destroy_group()
        raise
    _destroy_group()


def launch_processes(
    main: Callable[..., Any],
    num_processes: int,
    *,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str = "auto",
    args: tuple[Any, ...] = (),
) -> None:
    """Detectron2's ``launch``, whose processes destroy their group when ``main`` has returned.

    Args:
        main: Function that each process runs; it is pickled, so it must be one of a module.
        num_processes: Number of processes of this machine; a single one of all machines is this process.
        num_machines: Number of machines.
        machine_rank: Number of this machine, from 0.
        dist_url: Address at which the processes meet; "auto": a free port of this machine.
        args: Arguments of ``main``.

    Raises:
        torch.multiprocessing.ProcessRaisedException, ProcessExitedException: If a process fails.
    """
    launch(_run, num_processes, num_machines, machine_rank, dist_url, (main, args))


def _run(main: Callable[..., Any], args: tuple[Any, ...]) -> None:
    with destroyed_group():
        main(*args)


def _destroy_group() -> None:
    if not dist.is_initialized():
        return
    dist.destroy_process_group()
    comm._LOCAL_PROCESS_GROUP = None
    comm._get_global_gloo_group.cache_clear()
    gc.collect()  # a trainer and its model refer to each other
