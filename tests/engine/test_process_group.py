"""The group of the processes is gone before their interpreters end."""

from multiprocessing import util
from pathlib import Path

import pytest
from detectron2.utils import comm
from forked import fork_processes
from torch import distributed as dist
from torch.multiprocessing import ProcessExitedException

from ictrack.engine.preemption import PREEMPTED
from ictrack.engine.process_group import launch_processes


def note_the_group(folder: Path, status: int) -> None:
    """What each process runs: after it, a file says whether there is still a group."""
    file = folder / f"{comm.get_rank()}.txt"
    util.Finalize(None, lambda: file.write_text(str(dist.is_initialized())), exitpriority=0)
    comm.synchronize()
    if status:
        raise SystemExit(status)


@pytest.mark.parametrize(("status", "has_group"), [(0, False), (PREEMPTED, False), (1, True)])
def test_the_group_at_the_end(tmp_path, monkeypatch, status, has_group):
    """After an error another process may wait in an operation, and destroying would wait for it."""
    fork_processes(monkeypatch)
    if status:
        with pytest.raises(ProcessExitedException) as ended:
            launch_processes(note_the_group, 2, args=(tmp_path, status))
        assert ended.value.exit_code == status
    else:
        launch_processes(note_the_group, 2, args=(tmp_path, status))
    assert {file.read_text() for file in tmp_path.iterdir()} == {str(has_group)}
