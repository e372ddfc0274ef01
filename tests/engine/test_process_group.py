"""The group of the processes and its threads are gone before their interpreters end."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.utils import comm
from forked import fork_processes
from process_end import note_the_group_at_the_end
from torch import nn
from torch.multiprocessing import ProcessExitedException

from ictrack.engine.preemption import PREEMPTED
from ictrack.engine.process_group import launch_processes


def train(folder: Path, status: int) -> None:
    """What each process runs: a step of a model that refers to itself, as trainers and their hooks do."""
    note_the_group_at_the_end(folder)
    model = nn.parallel.DistributedDataParallel(nn.Linear(2, 1))
    model.trainer = [model]
    model(torch.ones(1, 2)).sum().backward()
    comm.all_gather(model.module.state_dict())
    if status:
        raise SystemExit(status)


@pytest.mark.parametrize(("status", "is_left"), [(0, False), (PREEMPTED, False), (1, True)])
def test_the_group_at_the_end(tmp_path, monkeypatch, status, is_left):
    """After an error another process may wait in an operation, and destroying would wait for it."""
    fork_processes(monkeypatch)
    if status:
        with pytest.raises(ProcessExitedException) as ended:
            launch_processes(train, 2, args=(tmp_path, status))
        assert ended.value.exit_code == status
    else:
        launch_processes(train, 2, args=(tmp_path, status))
    left = [json.loads(file.read_text()) for file in tmp_path.iterdir()]
    assert {has_group for has_group, _ in left} == {is_left}
    assert {bool(threads) for _, threads in left} == {is_left}
