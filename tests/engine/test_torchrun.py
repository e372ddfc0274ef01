"""Processes that torchrun has started join one group."""

import argparse
import os
import socket

import pytest
import torch.multiprocessing as mp
from detectron2.utils import comm

from ictrack.engine import torchrun
from ictrack.engine.launch import launch_training


def joined(args: argparse.Namespace) -> None:
    assert (args.num_gpus, args.num_machines, args.machine_rank) == (1, 2, comm.get_rank())
    assert comm.all_gather(os.environ["RANK"]) == ["0", "1"]
    assert (comm.get_local_rank(), comm.get_local_size()) == (0, 1)


def run_rank(rank: int, port: int) -> None:
    """As on two machines of a process each."""
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1", MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )  # fmt: skip
    launch_training(argparse.Namespace(), joined)


def test_two_machines(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(run_rank, (port,), nprocs=2, start_method="fork")


def test_other_processes_are_not_torchruns(monkeypatch):
    for name in torchrun._VARIABLES:
        monkeypatch.setenv(name, "0")
    assert torchrun.is_torchrun()
    monkeypatch.delenv("MASTER_PORT")
    assert not torchrun.is_torchrun()


@pytest.fixture(autouse=True)
def _no_group():
    yield
    assert comm.get_world_size() == 1
