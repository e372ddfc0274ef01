"""Processes that work together: their start, and the end of their group."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from detectron2.engine import launch
from torch import distributed as dist

from .preemption import PREEMPTED


@contextmanager
def destroyed_group() -> Iterator[None]:
    """Context after which this process's group is destroyed, also where all processes end with :data:`PREEMPTED`.

    Threads of gloo keep the tensors of an operation a little longer than it lasts. If one lets go of them while the
    interpreter ends, the process is aborted (SIGABRT) instead of ending with its own status
    (https://github.com/pytorch/pytorch/pull/179291). After an error the group stays: another process may wait in an
    operation, for which destroying would wait, too.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == PREEMPTED:
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
    if dist.is_initialized():
        dist.destroy_process_group()
