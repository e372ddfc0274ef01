"""Processes of a training: arguments, start, and user errors of any process in one line."""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from detectron2.engine import default_argument_parser
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from ictrack.structures.command_line import user_error

from .check_classes import check_classes
from .preemption import PREEMPTED, end_within_grace
from .process_group import launch_processes
from .setup import ConfigError, checked_config, train_or_evaluate
from .torchrun import is_torchrun, torchrun_group


class TrainingError(ValueError):
    """User error found by one of the processes."""


def parse_training_arguments(argv: Sequence[str], *, prog: str, description: str | None) -> argparse.Namespace:
    """Parse the arguments of Detectron2's training scripts.

    Raises:
        SystemExit: On ``--help`` or invalid numbers of processes and machines.
    """
    parser = default_argument_parser(epilog=" ")  # instead of Detectron2's examples
    parser.prog, parser.description, parser.allow_abbrev = prog, description, False
    args = parser.parse_args(argv)
    for name in ("num_gpus", "num_machines"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: must be at least 1, not {getattr(args, name)}")
    if not 0 <= args.machine_rank < args.num_machines:
        parser.error(f"--machine-rank: must be from 0 to {args.num_machines - 1}, not {args.machine_rank}")
    if args.num_machines > 1 and args.dist_url == "auto":
        parser.error("--dist-url: several machines need the address of the first one, such as tcp://10.0.0.1:3000")
    return args


def share_cores(num_processes: int) -> None:
    """Set OMP_NUM_THREADS, unless it is set, so that processes on a machine without GPUs share its cores evenly."""
    if num_processes > 1 and not torch.cuda.is_available():
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // num_processes)))


def fork_data_workers() -> None:
    """Let data loaders fork their workers in a process that was itself spawned, as they do in any other on Linux.

    A worker that is spawned, too, imports PyTorch and Detectron2 for seconds before it reads its first file. With CUDA,
    which does not survive a fork, everything stays as it is.
    """
    if sys.platform == "linux" and not torch.cuda.is_available():
        multiprocessing.set_start_method("fork", force=True)


def launch_training(args: argparse.Namespace, main: Callable[[argparse.Namespace], Any] = train_or_evaluate) -> None:
    """Start ``args.num_gpus`` processes a machine, over NCCL with GPUs and over gloo without.

    Processes of one machine meet at a free port unless ``--dist-url`` names one, so that several runs do not collide.
    A process that torchrun has started joins its group instead, and starts none.

    Args:
        args: Arguments of Detectron2's ``default_argument_parser``.
        main: Function that each process runs; it is pickled, so it must be one of a module.

    Raises:
        ValueError, OSError: On a user error, found before any process starts or, as TrainingError, by one of them.
        torch.multiprocessing.ProcessRaisedException: On a fault of the program, with its process's traceback.
        SystemExit: With the status :data:`PREEMPTED`, after SIGTERM.
    """
    if is_torchrun():
        with torchrun_group(args):
            _log_user_errors_in_one_line()
            main(args)
        return
    if torch.cuda.is_available() and args.num_gpus > torch.cuda.device_count():
        raise ConfigError(f"--num-gpus {args.num_gpus}: this machine has {torch.cuda.device_count()} GPUs")
    share_cores(args.num_gpus)
    is_default = args.dist_url == default_argument_parser().get_default("dist_url")  # a fixed port
    options = {
        "num_machines": args.num_machines,
        "machine_rank": args.machine_rank,
        "dist_url": "auto" if is_default and args.num_machines == 1 else args.dist_url,
    }
    if args.num_gpus * args.num_machines == 1:
        _log_user_errors_in_one_line()
        launch_processes(main, 1, **options, args=(args,))
        return
    cfg = checked_config(args)
    if not args.eval_only:
        check_classes(cfg)
    # It would log every process that ends because another one has failed.
    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)
    messages = multiprocessing.get_context("spawn").SimpleQueue()
    try:
        with _sigterm_to_processes():
            launch_processes(_run_process, args.num_gpus, **options, args=(main, args, messages))
    except ProcessExitedException as error:
        if error.exit_code == PREEMPTED:
            raise SystemExit(PREEMPTED) from None
        raise TrainingError(messages.get() if not messages.empty() else f"training stopped: {error}") from error
    except ProcessRaisedException as error:  # also on a lost connection
        if messages.empty():
            raise
        raise TrainingError(messages.get()) from error


@contextmanager
def _sigterm_to_processes() -> Iterator[None]:
    """Context in which SIGTERM is for the processes of this one, which then writes no checkpoint itself but waits."""

    def forward(number: int, frame: FrameType | None) -> None:
        for process in multiprocessing.active_children():
            process.terminate()

    before = signal.signal(signal.SIGTERM, forward)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_process(main: Callable[[argparse.Namespace], Any], args: argparse.Namespace, messages: Any) -> None:
    _log_user_errors_in_one_line(others_are_fine=messages.empty)
    fork_data_workers()
    try:
        main(args)
    except Exception as error:
        end_within_grace()  # an end may wait for the other processes
        message = user_error(error)
        if message is not None:
            messages.put(message)
        elif messages.empty():
            raise
        sys.exit(1)


def _log_user_errors_in_one_line(others_are_fine: Callable[[], bool] = lambda: True) -> None:
    """Log user errors, and their consequences in other processes, without the traceback that Detectron2's training loop
    adds to every exception."""

    def shorten(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        message = user_error(error) if error is not None else None
        if message is not None or (error is not None and not others_are_fine()):
            record.msg, record.args, record.exc_info = f"Training stopped: {message or 'see another process'}", (), None
        return True

    logging.getLogger("detectron2.engine.train_loop").addFilter(shorten)
